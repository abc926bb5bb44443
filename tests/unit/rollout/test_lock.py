"""A rollout and `up` write the same routes: never at once."""

import fcntl
import json
import threading

import pytest

from mlstrata.components.gateway.routes import RoutesProvider
from mlstrata.components.supervision.credential import generate
from mlstrata.files import locked
from mlstrata.operations.releases import RolloutError
from mlstrata.operations.releases.lock import only_one
from mlstrata.services.gateway.settings import ROLLOUT_LOCK, ROUTES_FILE, GatewaySettings
from tests.support.patience import PATIENCE


@pytest.fixture
def props(tmp_path):
    settings = GatewaySettings(
        port=8080,
        admin_port=8081,
        issuer="mlstrata/test",
        jwks=json.loads(generate("es256")[1]),
        directory=tmp_path / "config" / "gateway",
        access_log=tmp_path / "access.log",
        systems=(),
    )
    return {"directory": str(settings.directory), "settings": settings.to_json(), "releases": {}}


def test_routes_wait_for_a_rollout_to_end(tmp_path, props):
    routes = tmp_path / "config" / "gateway" / ROUTES_FILE
    writer = threading.Thread(target=RoutesProvider().create, args=(props,))
    with only_one(tmp_path / ROLLOUT_LOCK, "release of loans"):
        writer.start()
        writer.join(0.3)
        assert writer.is_alive()
        assert not routes.exists()
    writer.join(PATIENCE)
    assert routes.exists()


def test_a_rollout_is_refused_while_routes_are_written_and_says_by_whom(tmp_path):
    lock = tmp_path / ROLLOUT_LOCK
    with pytest.raises(RolloutError, match="as it failed"), only_one(lock, "release of loans"):
        raise RolloutError("as it failed")
    refused = pytest.raises(RolloutError, match=r"another rollout is running \(or `up` writes the routes\)")
    with locked(lock), refused, only_one(lock, "release of loans"):
        pass


def test_the_lock_falls_with_its_holder_and_not_before(tmp_path):
    lock = tmp_path / ROLLOUT_LOCK
    with only_one(lock, "release of loans"), lock.open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with lock.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
