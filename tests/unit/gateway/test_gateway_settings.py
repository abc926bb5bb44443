"""Settings the gateway refuses."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from mlstrata.services.gateway import tokens
from mlstrata.services.gateway.settings import Consumer, GatewaySettings, GatewaySystem

JWKS = tokens.public_jwks(tokens.generate_key())
GIVEN = {
    "port": 1,
    "admin_port": 2,
    "issuer": "mlstrata/x",
    "jwks": JWKS,
    "directory": Path("/a"),
    "access_log": Path("/b"),
}
SYSTEM = GatewaySystem(name="loans", upstream_port=3)

CASES = [
    ({"admin_port": 1}, "choose another"),
    ({"directory": Path("a")}, "an absolute path is needed"),
    ({"systems": (SYSTEM, SYSTEM)}, "'loans' is there twice"),
    ({"jwks": {}}, "at least one key"),
    ({"jwks": {"keys": [JWKS["keys"][0] | {"d": "x"}]}}, "private or symmetric"),
    ({"jwks": {"keys": [{"kty": "oct", "k": "x"}]}}, "private or symmetric"),
    ({"port": 70_000}, "65535"),
]


@pytest.mark.parametrize(("change", "message"), CASES)
def test_what_cannot_be_is_refused_with_the_reason(change, message):
    with pytest.raises(ValidationError, match=message):
        GatewaySettings(**(GIVEN | change))


def test_the_settings_they_differ_from_are_good():
    assert GatewaySettings(**GIVEN, systems=(SYSTEM,)).systems == (SYSTEM,)


@pytest.mark.parametrize("change", [{"api_versions": ("1",)}, {"api_versions": ("v1", "v1")}, {"api_versions": ()}])
def test_versions_of_the_interface_are_v_and_a_number_each_once(change):
    with pytest.raises(ValidationError):
        GatewaySystem(name="loans", upstream_port=3, **change)


def test_a_consumer_is_declared_once():
    with pytest.raises(ValidationError, match="'desk' is there twice"):
        GatewaySystem(name="loans", upstream_port=3, consumers=(Consumer(name="desk", count=1),) * 2)
