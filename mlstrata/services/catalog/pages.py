"""The pages: HTML made on the server, usable without JavaScript and with a screen reader, with nothing from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from mlstrata.services.catalog import words
from mlstrata.services.catalog.access import Person, Role
from mlstrata.services.catalog.changes import LEARNING, command, possible
from mlstrata.services.catalog.features import features
from mlstrata.services.catalog.graph import Drawing, around, draw
from mlstrata.services.catalog.lineage import short
from mlstrata.services.catalog.live.peers import Peer
from mlstrata.services.catalog.live.records import choices
from mlstrata.services.catalog.model import Catalog, System
from mlstrata.services.catalog.predictions import find, lineage_of
from mlstrata.services.gateway.names import ACCESS_LOG
from mlstrata.services.recording.store import Queue

if TYPE_CHECKING:
    from mlstrata.services.catalog.live.board import Board
    from mlstrata.services.catalog.settings import Declared

_FOLDER = Path(__file__).parent / "templates"
REFRESH_SECONDS = 10
"""Between two loads of a page that follows what goes on, where its reader asked for that."""


@cache
def stylesheet() -> str:
    """Return the pages' style."""
    return (_FOLDER / "style.css").read_text(encoding="utf-8")


PROGRAM = Person(Role.READER, "a program")


@dataclass(frozen=True)
class Viewer:
    """Who looks at a page, and how.

    Attributes:
        person: Who.
        form_token: What each form of the session carries; empty: there is no session.
        follows: Whether the page loads itself again. Only where asked for: it moves the reader's place (WCAG 2.2.1).
        notice: What became of what was just asked for; empty: nothing was.
        refused: Whether that was refused.
    """

    person: Person = PROGRAM
    form_token: str = ""
    follows: bool = False
    notice: str = ""
    refused: bool = False


@dataclass(frozen=True)
class Asked:
    """One page that somebody asks for.

    Attributes:
        catalog: The catalog.
        declared: What is deployed.
        what: The address without its first slash.
        query: What a form asked.
        viewer: Who asks.
    """

    catalog: Catalog
    declared: Declared
    what: str
    query: Mapping[str, str] = field(default_factory=dict)
    viewer: Viewer = Viewer()


class Pages:
    """Renders the pages."""

    def __init__(self, home: Path, board: Board) -> None:
        """Begin.

        Args:
            home: The environment's home folder, which holds the gateway's log.
            board: Reads what goes on.
        """
        self._home, self._board = home, board
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"short": short, **words.FILTERS}

    def login(self, problem: str | None) -> str:
        """Return the page that asks who reads."""
        return self._templates.get_template("login.html").render(problem=problem)

    def missing(self, what: str) -> str:
        """Return the page that says that there is no such page."""
        return self._templates.get_template("missing.html").render(what=what)

    def page(self, asked: Asked) -> str | None:
        """Return a page; None when there is none at that address."""
        kind, _, name = asked.what.strip("/").partition("/")
        match kind, name:
            case "lineage", _:
                return self._lineage(asked, name)
            case "queues", _:
                return self._queues(asked, name)
            case "", "":
                return self._render("start.html", asked, now=self._board.overview(asked.catalog))
            case "predictions", "":
                return self._prediction(asked)
            case (("systems" | "datasets" | "features" | "models" | "runs"), ""):
                return self._render(f"{kind}.html", asked, features=features(asked.catalog))
        return self._one(asked, kind, name)

    def _one(self, asked: Asked, kind: str, name: str) -> str | None:
        catalog = asked.catalog
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
        if kind == "systems":
            return self._system(asked, one, drawing)
        return self._render(f"{kind.removesuffix('s')}.html", asked, one=one, drawing=drawing)

    def _system(self, asked: Asked, one: System, drawing: Drawing) -> str | None:
        spec = next((system for system in asked.declared.systems if system.name == one.name), None)
        if spec is None:
            return None  # the catalog is a moment older than what is declared, which names the system no more
        versions = asked.catalog.versions
        trained = next((v.metrics for v in versions if (v.system, v.version) == (one.name, one.champion)), {})
        now = self._board.system(spec, one.champion, trained)
        orders = [(each, command(each, asked.catalog.environment, one.name)) for each in possible(now.row.traffic)]
        values = {
            "now": now,
            "orders": orders,
            "carried_out": Peer.find(self._home, LEARNING) is not None,
            "approver": spec.rollout.approve or "",
            "steps": ", ".join(f"{step} %" for step in spec.rollout.steps),
        }
        return self._render("system.html", asked, one=one, drawing=drawing, **values)

    def _lineage(self, asked: Asked, name: str) -> str | None:
        catalog = asked.catalog
        if not name:
            return self._render("lineage.html", asked, node=None, drawing=draw(catalog.nodes, catalog.edges))
        node = next((node for node in catalog.nodes if node.id == name), None)
        if node is None:
            return None
        return self._render("lineage.html", asked, node=node, drawing=draw(*around(catalog, name)))

    def _queues(self, asked: Asked, place: str) -> str | None:
        if not place:
            lengths, missing = self._board.lengths()
            return self._render("queues.html", asked, lengths=lengths, missing=missing)
        name, _, system = place.partition("/")
        spec = next((one for one in asked.declared.systems if one.name == system), None)
        if spec is None or name not in set(Queue):
            return None
        waits, missing = self._board.queue(Queue(name), spec)
        values = {"waits": waits, "missing": missing, "choices": choices(spec, waits), "target": spec.model.target}
        return self._render("queue.html", asked, **values)

    def _prediction(self, asked: Asked) -> str:
        wanted = asked.query.get("id", "").strip()
        found = find(self._home / ACCESS_LOG, wanted) if wanted else None
        drawing = draw(*lineage_of(asked.catalog, found)) if found else None
        rows, missing = self._board.prediction(wanted, asked.declared.systems) if wanted else ((), ())
        values = {"wanted": wanted, "found": found, "drawing": drawing, "rows": rows, "missing": missing}
        return self._render("predictions.html", asked, **values)

    def _render(self, template: str, asked: Asked, **values: Any) -> str:
        common = {"catalog": asked.catalog, "viewer": asked.viewer, "refresh": REFRESH_SECONDS, "here": asked.what}
        text: str = self._templates.get_template(template).render(common | values)
        return text
