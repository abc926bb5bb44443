"""What a checkpoint holds of the providers, and how they compare."""

import base64
import pickletools

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from mlstrata.components.gateway.routes import RoutesProvider
from mlstrata.components.supervision.common import difference
from mlstrata.components.supervision.credential import CredentialProvider
from mlstrata.components.supervision.file import ConfigFileProvider
from mlstrata.components.supervision.ports import PortsProvider
from mlstrata.components.supervision.ready import ReadyProvider
from mlstrata.components.supervision.service import ServiceProvider
from mlstrata.components.supervision.supervisor import SupervisorProvider
from mlstrata.components.supervision.values import plain

PROVIDERS = {
    PortsProvider: "mlstrata.components.supervision.ports PortsProvider",
    CredentialProvider: "mlstrata.components.supervision.credential CredentialProvider",
    SupervisorProvider: "mlstrata.components.supervision.supervisor SupervisorProvider",
    ServiceProvider: "mlstrata.components.supervision.service ServiceProvider",
    ReadyProvider: "mlstrata.components.supervision.ready ReadyProvider",
    ConfigFileProvider: "mlstrata.components.supervision.file ConfigFileProvider",
    RoutesProvider: "mlstrata.components.gateway.routes RoutesProvider",
}


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.__name__)
def test_a_checkpoint_holds_a_reference_and_no_code(provider):
    pickled = base64.b64decode(serialize_provider(provider()))
    assert len(pickled) < 120
    words = " ".join(str(argument) for _, argument, _ in pickletools.genops(pickled) if isinstance(argument, str))
    assert PROVIDERS[provider] in words, "module path and class name are a contract"
    assert provider.serialize_as_secret_always is False


def test_whole_floats_are_integers_and_providers_are_left_out():
    assert plain({"port": 8080.0, "share": 0.5, "deep": [{"mode": 384.0}], "__provider": "x"}) == {
        "port": 8080,
        "share": 0.5,
        "deep": [{"mode": 384}],
    }


@pytest.mark.parametrize(
    ("olds", "news", "changes", "replaces"),
    [
        ({"a": 1.0, "state": "ok"}, {"a": 1}, False, []),
        ({"a": {}, "state": "ok"}, {}, False, []),
        ({"a": 1, "state": "ok"}, {"a": 2}, True, []),
        ({"a": 1, "state": "stopped"}, {"a": 1}, True, []),
        ({"a": 1, "home": "x", "state": "ok"}, {"a": 1, "home": "y"}, True, ["home"]),
    ],
)
def test_difference(olds, news, changes, replaces):
    found = difference(olds, news, inputs=("a",), identity=("home",), healthy="ok")
    assert (found.changes, found.replaces) == (changes, replaces)


def test_a_credential_is_made_once():
    provider = CredentialProvider()
    made = provider.create({"kind": "token"}).outs
    assert len(made["secret"]) >= 40
    assert provider.create({"kind": "token"}).outs["secret"] != made["secret"]
    assert provider.update("id", made, {"kind": "token"}).outs == made
    assert provider.read("id", made).outs == made
    assert provider.diff("id", made, {"kind": "token"}).changes is False
    assert provider.diff("id", made, {"kind": "es256"}).replaces == ["kind"]
