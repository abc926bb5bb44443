"""Ports: remembered, never given twice."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlstrata.components.supervision.ports import PortsProvider, allocate
from mlstrata.components.supervision.sockets import holder, is_free, pick
from mlstrata.components.supervision.values import SupervisionError


def test_what_was_given_is_kept(tmp_path):
    first = allocate(tmp_path, "web", {"a": 0, "b": 0}, {})
    assert len(set(first.values())) == 2
    assert allocate(tmp_path, "web", {"a": 0, "b": 0}, {}) == first, "a dead run's ports are taken over"
    grown = allocate(tmp_path, "web", {"a": 0, "b": 0, "c": 0}, first)
    assert {name: grown[name] for name in first} == first


def test_owners_never_share(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda n: allocate(tmp_path, f"s{n}", {"x": 0, "y": 0}, {}), range(20)))
    ports = [port for ports in given for port in ports.values()]
    assert len(set(ports)) == 40


def test_a_port_that_two_want_is_refused_with_both_names(tmp_path):
    port = pick(())
    allocate(tmp_path, "gateway", {"gateway": port}, {})
    with pytest.raises(SupervisionError, match=rf"port {port} is wanted by mlflow and by gateway"):
        allocate(tmp_path, "mlflow", {"mlflow": port}, {})


def test_a_kept_port_that_someone_else_took_is_given_up(tmp_path):
    (port,) = allocate(tmp_path, "web", {"a": 0}, {}).values()
    with socket.create_server(("127.0.0.1", port)):
        assert allocate(tmp_path, "web", {"a": 0}, {"a": port})["a"] != port


def test_the_wish_wins_over_what_was_kept(tmp_path):
    kept = allocate(tmp_path, "web", {"a": 0}, {})
    wanted = pick(kept.values())
    assert allocate(tmp_path, "web", {"a": wanted}, kept) == {"a": wanted}


def test_the_holder_of_a_port_is_found():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
        import os

        assert holder(port) == os.getpid()
    assert is_free(port)


def test_releasing_forgets_only_ones_own(tmp_path):
    provider = PortsProvider()
    bag = {"home": str(tmp_path), "wanted": {"x": 0.0}}
    provider.create({**bag, "owner": "one"})
    provider.create({**bag, "owner": "two"})
    provider.delete("id", {**bag, "owner": "one"})
    assert (tmp_path / "run/ports.json").exists()
    provider.delete("id", {**bag, "owner": "two"})
    assert not list(tmp_path.iterdir())


def test_an_unchanged_wish_is_no_change():
    provider = PortsProvider()
    olds = {"home": "/h", "owner": "o", "wanted": {"x": 0.0}, "ports": {"x": 4.0}}
    assert not provider.diff("id", olds, {"home": "/h", "owner": "o", "wanted": {"x": 0}}).changes
    assert provider.diff("id", olds, {"home": "/h", "owner": "o", "wanted": {"x": 9}}).changes
    assert provider.diff("id", olds, {"home": "/i", "owner": "o", "wanted": {"x": 0}}).replaces == ["home"]
