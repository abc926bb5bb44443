"""Reads what the catalog is made from. A source that cannot be read is named, and never stops the others."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlstrata.clients.mlflow import MISSING, Registry, RegistryError, input_types
from mlstrata.clients.mlflow.access import header, variables
from mlstrata.environments import Workspace
from mlstrata.services.runner.requests import WORKDIR
from mlstrata.services.serving.releases import Releases

DATABASE = f"{WORKDIR}/runner.db"
SERVING = "data/serving"
_NEWEST = 200
"""Runs of each system that are read."""

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Sources:
    """What was read, as plain documents.

    Attributes:
        runs: The newest runs, newest first: id, system, state, cause, created, result, data_version, source, features
            and stopped_at.
        versions: Versions as MLflow's REST interface gives them; None when it could not be asked.
        releases: System to its releases.
        missing: What could not be read, as `SOURCE: why`.
        types: System to the type of each column that its released model takes.
        unasked: Systems whose versions the registry did not give.
    """

    runs: Sequence[Document] = ()
    versions: Sequence[Document] | None = None
    releases: Mapping[str, Releases] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    types: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unasked: frozenset[str] = frozenset()


def read(home: Path, registry: str | None, systems: Iterable[str], *, aliases: bool = False) -> Sources:
    """Read everything there is of an environment.

    Args:
        home: The environment's home folder.
        registry: Address of MLflow; None: the environment is not up.
        systems: Its systems.
        aliases: What is released is what the registry's aliases say: no serving folder lies beside.
    """
    names = tuple(systems)
    missing: list[str] = []
    runs = _runs(home / DATABASE, names, missing)
    versions, releases, unasked = _registered(home, registry, names, missing, aliases=aliases)
    for name in () if aliases else names:
        try:
            releases[name] = Releases.read(home / SERVING / name)
        except (OSError, ValueError):
            missing.append(f"releases of {name}: cannot be read")
    types: dict[str, Mapping[str, str]] = {}
    for name, released in releases.items():
        try:
            types[name] = read_types(home / SERVING / name, released.champion)
        except (OSError, ValueError, AttributeError, TypeError, KeyError):
            missing.append(f"signature of {name}: cannot be read")
    return Sources(runs, versions, releases, tuple(missing), types, frozenset(unasked))


def _runs(database: Path, names: Sequence[str], missing: list[str]) -> list[Document]:
    if not database.exists():
        missing.append("runs: none were recorded yet")
        return []
    unread: list[str] = []
    try:
        found = read_runs(database, names, unread)
    except (sqlite3.Error, ValueError, AttributeError):
        missing.append("runs: the runner's database cannot be read")
        return []
    missing += [f"run {one}: cannot be read" for one in unread]
    return found


def _registered(
    home: Path, registry: str | None, names: Sequence[str], missing: list[str], *, aliases: bool
) -> tuple[list[Document] | None, dict[str, Releases], set[str]]:
    """Return the versions, the releases that aliases name, and the systems whose versions were not given."""
    versions: list[Document] = []
    releases: dict[str, Releases] = {}
    unasked: set[str] = set()
    if registry is None:
        missing.append("registry: not up")
        return None, releases, unasked
    for name in names:
        try:
            asked = Registry(registry, header(variables(home) or os.environ))
            versions += asked.versions(name)
            if aliases:
                releases[name] = read_aliases(asked, name)
        except (RegistryError, ValueError, AttributeError, TypeError, KeyError) as error:
            unasked.add(name)
            if isinstance(error, RegistryError) and not error.code:
                # It was not the registry that answered: it will not for another system either.
                unasked.update(names)
                break
    if unasked and unasked.issuperset(names):
        missing.append("registry: not reachable")
        return None, releases, unasked
    missing += [f"registry: versions of {name} cannot be read" for name in sorted(unasked)]
    return versions, releases, unasked


def read_types(folder: Path, version: str | None) -> dict[str, str]:
    """Read what a released model takes, from the signature it was packed with.

    Args:
        folder: The system's serving folder.
        version: The version; None: none is released.

    Returns:
        Column to its type in MLflow's words (double, long, string …); empty where there is no model or no signature.

    Raises:
        OSError, AttributeError, KeyError, TypeError, ValueError: There is a model, and it is not as MLflow packs it.
    """
    path = folder / "models" / (version or "") / "MLmodel"
    if version is None or not path.exists():
        return {}
    return input_types(path.read_text(encoding="utf-8"))


def read_runs(database: Path, systems: Iterable[str], unread: list[str] | None = None) -> list[Document]:
    """Read the newest runs of each system, newest first, and change nothing.

    Args:
        database: The runner's.
        systems: The systems.
        unread: Gets the ids of runs that are not as the runner writes them, which are left out then.

    Raises:
        sqlite3.Error: It is no database of the runner.
        TypeError, ValueError: A run is not what the runner writes, and `unread` is not given.
    """
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=60)) as db:
        db.row_factory = sqlite3.Row
        query = (
            "SELECT id, system, state, cause, created, result, request FROM runs WHERE system = ? "
            "ORDER BY created DESC, rowid DESC LIMIT ?"
        )
        root = Workspace.of_home(database.absolute().parents[len(Path(DATABASE).parts) - 1]).root
        rows = [row for system in systems for row in db.execute(query, (system, _NEWEST)).fetchall()]
        found: list[Document] = []
        for row in sorted(rows, key=lambda row: -row["created"]):
            try:
                told = {name: row[name] for name in ("id", "system", "state", "cause", "created")}
                found.append({**told, **_seen(db, row), "source": _source(row["request"], root)})
            except (ValueError, TypeError):
                if unread is None:
                    raise
                unread.append(str(row["id"]))
        return found


def _seen(db: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    """Return what the steps of a run saw.

    Raises:
        TypeError, ValueError: It is not what the runner writes.
    """
    metadata: dict[str, Any] = {}
    for artifact in db.execute("SELECT metadata FROM artifacts WHERE run = ? ORDER BY rowid", (row["id"],)):
        metadata = {**json.loads(artifact["metadata"]), **metadata}
    failed = db.execute("SELECT name FROM steps WHERE run = ? AND state = 'failed' ORDER BY position", (row["id"],))
    first = failed.fetchone()
    return {
        "result": dict(json.loads(row["result"])) if row["result"] else {},
        "data_version": metadata.get("data_version"),
        "features": metadata.get("features") or [],
        "stopped_at": first["name"] if first else None,
    }


def _source(request: str, root: Path) -> str | None:
    """Return what a run read, as the environment's file had it: a file of the workspace by its path in there."""
    asked = json.loads(request)
    said = asked.get("named") or asked.get("source")
    return str(said).removeprefix(f"{root}/") if said else None


def read_aliases(registry: Registry, system: str) -> Releases:
    """Read what the registry's aliases call released.

    Raises:
        RegistryError: The registry does not answer, or refuses.
        AttributeError, KeyError, TypeError, ValueError: It answers something else than MLflow does.
    """
    try:
        document = registry.get("registered-models/get", name=system)
    except RegistryError as error:
        if error.code == MISSING:
            return Releases()  # nothing was ever registered
        raise
    said = {one["alias"]: str(int(one["version"])) for one in document["registered_model"].get("aliases", [])}
    return Releases(**{role: said[role] for role in ("champion", "challenger", "shadow") if role in said})
