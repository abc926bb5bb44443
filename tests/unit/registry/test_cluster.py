"""The registry as a cluster runs it: asked by its own names, refused by any other."""

from collections.abc import Iterator

import pytest

from mlstrata.clients.mlflow.access import header, of
from tests.support.registry import NAMES, PASSWORD, get, serving

ASKED = header(of(PASSWORD))


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("registry")) as url:
        yield url


def experiments(url: str, host: str, headers: dict[str, str] | None = None) -> int:
    address = f"{url}/api/2.0/mlflow/experiments/search?max_results=1"
    return get(address, host, ASKED if headers is None else headers)[0]


@pytest.mark.parametrize("name", NAMES.split(","))
def test_pods_ask_it_by_its_names(registry, name):
    port = registry.rpartition(":")[2]
    assert experiments(registry, f"{name}:{port}") == 200
    assert experiments(registry, name) == 200


@pytest.mark.parametrize("host", ["127.0.0.1:43219", "localhost:1", "127.0.0.1", "localhost:5000"])
def test_kubectl_forwards_whatever_port_is_free_on_the_other_side(registry, host):
    assert experiments(registry, host) == 200


@pytest.mark.parametrize("host", ["rebound.example.com", "127.0.0.1.example.com:5000", "localhost.example.com:1"])
def test_nobody_asks_it_by_another_name(registry, host):
    assert experiments(registry, host) == 403


def test_nobody_without_the_password_enters(registry):
    assert experiments(registry, "mlflow", {}) == 401
    assert experiments(registry, "mlflow", header(of("guessed"))) == 401


def test_prometheus_scrapes_it_by_the_pods_address(registry):
    status, text = get(f"{registry}/metrics", "172.16.0.9:5000")
    assert status == 200
    assert "mlflow_http_request" in text
