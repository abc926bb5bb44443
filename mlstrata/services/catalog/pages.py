"""The pages: HTML made on the server, usable without JavaScript and with a screen reader, with nothing from outside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from mlstrata.services.catalog.features import features
from mlstrata.services.catalog.graph import around, draw
from mlstrata.services.catalog.lineage import short
from mlstrata.services.catalog.model import Catalog, Node, NodeKind
from mlstrata.services.catalog.predictions import find, lineage_of
from mlstrata.services.gateway.names import ACCESS_LOG

_FOLDER = Path(__file__).parent / "templates"

_LINKS = {
    NodeKind.SOURCE: "datasets",
    NodeKind.RUN: "runs",
    NodeKind.VERSION: "models",
    NodeKind.RELEASE: "models",
    NodeKind.SYSTEM: "systems",
}


@cache
def stylesheet() -> str:
    """Return the pages' style."""
    return (_FOLDER / "style.css").read_text(encoding="utf-8")


def link(node: Node) -> str:
    """Return the address of a node's page: its own, or its part of the lineage."""
    if room := _LINKS.get(node.kind):
        return f"/{room}/{quote(node.id.partition(':')[2])}"
    return f"/lineage/{quote(node.id)}"


def moment(seconds: float | None) -> str:
    """Return a moment as people read it, from seconds since 1970."""
    return "not recorded" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


class Pages:
    """Renders the pages."""

    def __init__(self) -> None:
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"short": short, "moment": moment, "link": link, "quote": quote}

    def login(self, problem: str | None) -> str:
        """Return the page that asks who reads."""
        return self._render("login.html", problem=problem)

    def missing(self, what: str) -> str:
        """Return the page that says that there is no such page."""
        return self._render("missing.html", what=what)

    def page(self, catalog: Catalog, what: str, query: Mapping[str, str], home: Path) -> str | None:
        """Return a page; None when there is none at that address.

        Args:
            catalog: The catalog.
            what: The address without its first slash.
            query: What a form asked.
            home: The environment's home folder, which holds the gateway's log.
        """
        kind, _, name = what.strip("/").partition("/")
        if kind == "predictions" and not name:
            return self._prediction(catalog, query.get("id", "").strip(), home)
        if kind == "lineage":
            return self._lineage(catalog, name)
        if not name:
            return self._list(catalog, kind)
        return self._one(catalog, kind, name)

    def _list(self, catalog: Catalog, kind: str) -> str | None:
        if kind not in ("", "systems", "datasets", "features", "models", "runs"):
            return None
        return self._render(f"{kind or 'systems'}.html", catalog=catalog, features=features(catalog))

    def _one(self, catalog: Catalog, kind: str, name: str) -> str | None:
        found: dict[str, tuple[str, Any]] = {
            "systems": (f"system:{name}", next((s for s in catalog.systems if s.name == name), None)),
            "datasets": (
                f"source:{name}",
                next((d for d in catalog.datasets if f"{d.system}/{d.name}" == name), None),
            ),
            "models": (
                f"version:{name}",
                next((v for v in catalog.versions if f"{v.system}/{v.version}" == name), None),
            ),
            "runs": (f"run:{name}", next((r for r in catalog.runs if r.id == name), None)),
        }
        node, one = found.get(kind, ("", None))
        if one is None:
            return None
        drawing = draw(*around(catalog, node))
        return self._render(f"{kind.removesuffix('s')}.html", catalog=catalog, one=one, drawing=drawing)

    def _lineage(self, catalog: Catalog, name: str) -> str | None:
        if not name:
            return self._render("lineage.html", catalog=catalog, node=None, drawing=draw(catalog.nodes, catalog.edges))
        node = next((node for node in catalog.nodes if node.id == name), None)
        if node is None:
            return None
        return self._render("lineage.html", catalog=catalog, node=node, drawing=draw(*around(catalog, name)))

    def _prediction(self, catalog: Catalog, wanted: str, home: Path) -> str:
        found = find(home / ACCESS_LOG, wanted) if wanted else None
        drawing = draw(*lineage_of(catalog, found)) if found else None
        return self._render("predictions.html", catalog=catalog, wanted=wanted, found=found, drawing=drawing)

    def _render(self, template: str, **values: Any) -> str:
        text: str = self._templates.get_template(template).render(values)
        return text
