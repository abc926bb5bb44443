"""The documents of the API, each a part of the catalog."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from mlstrata.services.catalog.features import features
from mlstrata.services.catalog.graph import around
from mlstrata.services.catalog.model import Catalog, Edge, Node
from mlstrata.services.catalog.predictions import find, lineage_of
from mlstrata.services.gateway.names import ACCESS_LOG


def documents(catalog: Catalog, what: str, home: Path) -> Any:
    """Return the document at `/api/WHAT`; None when there is none.

    Args:
        catalog: The catalog.
        what: The address after `/api/`.
        home: The environment's home folder, which holds the gateway's log.
    """
    kind, _, name = what.strip("/").partition("/")
    if kind == "lineage":
        return _lineage(catalog, name, home)
    listed = _listed(catalog, kind)
    if listed is None:
        return catalog.document() if what.strip("/") == "catalog" else None
    if not name:
        return {kind: list(listed.values()), "missing": list(catalog.missing)}
    return listed.get(name)


def _listed(catalog: Catalog, kind: str) -> dict[str, Any] | None:
    """Return what there is of a kind, each under the name that its own address has."""
    match kind:
        case "systems":
            return {one.name: _plain(one) for one in catalog.systems}
        case "datasets":
            return {f"{one.system}/{one.name}": _plain(one) for one in catalog.datasets}
        case "models":
            return {f"{one.system}/{one.version}": _plain(one) for one in catalog.versions}
        case "runs":
            return {one.id: _plain(one) for one in catalog.runs}
        case "features":
            return {f"{one.system}/{one.name}": _plain(one) for one in features(catalog)}
    return None


def _lineage(catalog: Catalog, name: str, home: Path) -> Any:
    if not name:
        return _graph(catalog.nodes, catalog.edges)
    if name.startswith("prediction:"):
        found = find(home / ACCESS_LOG, name.removeprefix("prediction:"))
        return None if found is None else {"prediction": asdict(found), **_graph(*lineage_of(catalog, found))}
    if not any(node.id == name for node in catalog.nodes):
        return None
    return _graph(*around(catalog, name))


def _graph(nodes: Iterable[Node], edges: Iterable[Edge]) -> dict[str, Any]:
    return {"nodes": [_plain(node) for node in nodes], "edges": [_plain(edge) for edge in edges]}


def _plain(entry: BaseModel) -> dict[str, Any]:
    return entry.model_dump(mode="json")
