"""The gateway's routes as a resource: rendered from settings and releases, and drift when they are not."""

import json
from pathlib import Path

import pytest

from mlstrata.components.gateway.routes import RoutesProvider
from mlstrata.components.supervision.credential import generate
from mlstrata.components.supervision.values import SupervisionError
from mlstrata.services.gateway.render import render_routes, to_text
from mlstrata.services.gateway.settings import ROUTES_FILE, Consumer, GatewaySettings, GatewaySystem
from mlstrata.services.serving.releases import FILE, Releases


@pytest.fixture
def props(tmp_path: Path):
    settings = GatewaySettings(
        port=8080,
        admin_port=8081,
        issuer="mlstrata/test",
        jwks=json.loads(generate("es256")[1]),
        directory=tmp_path / "config" / "gateway",
        access_log=tmp_path / "access.log",
        systems=(GatewaySystem(name="loans", upstream_port=9000, consumers=(Consumer(name="desk", count=1),)),),
    )
    releases = tmp_path / "loans"
    releases.mkdir()
    return {
        "directory": str(tmp_path / "config" / "gateway"),
        "settings": settings.to_json(),
        "releases": {"loans": str(releases)},
    }


def state(props):
    return RoutesProvider().read("routes", props).outs["state"]


def test_routes_follow_the_releases(props):
    provider, file = RoutesProvider(), Path(props["directory"]) / ROUTES_FILE
    provider.create(props)
    assert state(props) == "as rendered"
    assert not provider.diff("routes", {**props, "state": "as rendered"}, props).changes
    release = Releases(champion="2", loaded=("2",))
    (Path(props["releases"]["loans"]) / FILE).write_text(release.to_json())
    assert state(props) == "edited", "a release whose routes were never written is drift"
    provider.update("routes", props, props)
    expected = render_routes(GatewaySettings.model_validate_json(props["settings"]), {"loans": release})
    assert file.read_text() == to_text(expected)
    file.unlink()
    assert state(props) == "missing"


def test_broken_releases_are_one_sentence(props):
    (Path(props["releases"]["loans"]) / FILE).write_text("{")
    with pytest.raises(SupervisionError, match="the gateway's routes cannot be rendered"):
        RoutesProvider().create(props)
