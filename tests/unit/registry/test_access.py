"""Who asks the registry, and that nothing stands between."""

import base64
import os

import pytest

from mlstrata.clients.mlflow.access import header, past_proxies

NAMES = ("no_proxy", "NO_PROXY")


@pytest.mark.parametrize(
    ("given", "scheme", "said"),
    [
        ({"USERNAME": "ana", "PASSWORD": "long"}, "Basic", base64.b64encode(b"ana:long").decode()),
        ({"TOKEN": "short"}, "Bearer", "short"),
        # As MLflow's own client has it.
        ({"USERNAME": "ana", "PASSWORD": "long", "TOKEN": "short"}, "Basic", base64.b64encode(b"ana:long").decode()),
    ],
)
def test_the_variables_of_mlflows_clients_become_a_header(given, scheme, said):
    assert header({f"MLFLOW_TRACKING_{name}": value for name, value in given.items()}) == {
        "Authorization": f"{scheme} {said}"
    }


@pytest.mark.parametrize("given", [{}, {"MLFLOW_TRACKING_USERNAME": "ana"}, {"MLFLOW_TRACKING_TOKEN": ""}])
def test_nobody_is_named_by_half_of_them(given):
    assert header(given) == {}


@pytest.mark.parametrize(
    ("set_before", "address", "after"),
    [
        ({}, "http://127.0.0.1:5000", "127.0.0.1"),
        ({}, "http://localhost:5000/x", "localhost"),
        ({}, "http://[::1]:5000", "::1"),
        ({"NO_PROXY": ".corp,10.0.0.1"}, "http://127.0.0.1:1", ".corp,10.0.0.1,127.0.0.1"),
        ({"no_proxy": ".corp", "NO_PROXY": ".other"}, "http://127.0.0.1:1", ".corp,127.0.0.1"),
        ({"no_proxy": "127.0.0.1"}, "http://127.0.0.1:1", "127.0.0.1"),
    ],
)
def test_this_machine_is_reached_past_its_proxy_and_others_are_still_excepted(monkeypatch, set_before, address, after):
    for name in NAMES:
        monkeypatch.setenv(name, set_before.get(name, ""))
    past_proxies(address)
    assert os.environ["no_proxy"] == after
    past_proxies(address)
    assert os.environ["no_proxy"] == after


def test_another_machine_is_reached_as_its_variables_say(monkeypatch):
    for name in NAMES:
        monkeypatch.setenv(name, "")
    past_proxies("https://mlflow.example.com")
    assert {os.environ[name] for name in NAMES} == {""}
