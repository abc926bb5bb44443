"""The catalog on this machine: pages and an API over what is declared, what ran and what is released."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pulumi

from mlstrata.components.catalog.args import CatalogArgs
from mlstrata.components.catalog.outputs import CatalogOutputs
from mlstrata.components.local_service import LocalService
from mlstrata.components.local_site import LocalSite
from mlstrata.components.registry.outputs import RegistryOutputs
from mlstrata.components.supervision.credential import Credential
from mlstrata.components.supervision.service import File
from mlstrata.services.catalog.settings import CatalogSettings, Declared
from mlstrata.services.http import token_file

SERVICE = "catalog"
TOKEN_FILE = token_file(SERVICE)
OPERATOR_FILE = f"config/{SERVICE}/operator"
_DECLARED_FILE = f"config/{SERVICE}/declared.json"


class Catalog(LocalService):
    """Shows data, features, models and systems, and takes lineage events of jobs elsewhere.

    Attributes:
        operator: The credential of those who decide reviews, stop a system or approve a rollout.
    """

    def __init__(self, name: str, args: CatalogArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("catalog", name, args.host, opts)
        self.operator = Credential(f"{SERVICE}-operator", kind="token", opts=self.child())
        self.serve(
            SERVICE,
            "mlstrata.services.catalog",
            args.port,
            pulumi.Output.all(args.port, args.registry).apply(_settings(args.host.home)),
            files={
                # The service reads it again by itself: another system or owner needs no restart.
                _DECLARED_FILE: File(Declared.of(args.spec).text(), restart=False),
                OPERATOR_FILE: File(self.operator.secret),
            },
            folders=("data/catalog",),
            stop_seconds=10,
        )
        self.register_outputs({"url": self.url})


def _settings(home: Path) -> Callable[[Sequence[Any]], str]:
    """Return what renders the service's settings once its port and the registry's address are known."""

    def render(values: Sequence[Any]) -> str:
        port, registry = values
        settings = CatalogSettings(
            port=int(port),
            home=home,
            declared=home / _DECLARED_FILE,
            token_file=home / TOKEN_FILE,
            registry=registry,
            operator_file=home / OPERATOR_FILE,
            events=home / "data/catalog/lineage.jsonl",
        )
        # What it answers to is this machine by default; a default is not written down.
        return settings.model_dump_json(indent=1, exclude={"hosts", "releases"}) + "\n"

    return render


def build(site: LocalSite) -> CatalogOutputs:
    """Build the catalog of the environment."""
    port, registry = site.ports[SERVICE].port(SERVICE), site.require(RegistryOutputs).uri
    return CatalogOutputs(Catalog("catalog", CatalogArgs(site.host, port, registry, site.spec)).url)
