"""What this checkout would make of an environment that another one would not."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlstrata.operations.comparison.elsewhere import told_by
from mlstrata.operations.comparison.graph import Graph, as_json, graph_of
from mlstrata.operations.comparison.restarts import restarts
from mlstrata.operations.errors import UsageError


@dataclass(frozen=True)
class Change:
    """One resource that the two do not agree on.

    Attributes:
        resource: Its type's own name and its name.
        op: create, change or delete.
        paths: Property path to what it was and what it is, of a change.
        restarts: What runs and is started anew for it, and how; empty: nothing is.
    """

    resource: str
    op: str
    paths: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    restarts: str = ""


def difference(name: str, against: Path) -> list[Change]:
    """Return what differs between two checkouts; neither state nor a running platform is asked.

    Args:
        name: The environment.
        against: The other checkout.

    Raises:
        UsageError: `against` is no folder with environments, or its environment cannot be planned.
    """
    return list(changes(_of_other(name, against), _plain(graph_of(name))))


def changes(before: Graph, after: Graph) -> Iterator[Change]:
    """Yield what differs between two graphs, by resource."""
    for resource in sorted(before.keys() | after.keys()):
        old, new = before.get(resource), after.get(resource)
        if old is None or new is None:
            yield Change(resource, "create" if old is None else "delete")
            continue
        paths = {
            path: (old.get(path), new.get(path))
            for path in sorted(old.keys() | new.keys())
            if old.get(path) != new.get(path)
        }
        if paths:
            yield Change(resource, "change", paths, restarts(resource, list(paths), new))


def _of_other(name: str, root: Path) -> Graph:
    """Plan the environment of another checkout: by its own code where it has some that can, else by this one's."""
    if not (root / "environments").is_dir():
        raise UsageError(f"--against: {root} is no folder with environments; name another checkout of the project")
    if not (root / "environments" / f"{name}.yaml").is_file():
        return {}  # the environment is new
    root = root.resolve()
    with _code_of(root) as paths:
        module, refusal = "mlstrata.operations.comparison.graph", f"--against: {name} of {root} cannot be planned"
        graph: Graph = told_by(module, [name], root, refusal, paths)
    return graph


@contextmanager
def _code_of(root: Path) -> Iterator[dict[str, str]]:
    """Yield the variables under which Python runs the code of a checkout; none where the folder has no code of ours."""
    if not (root / "mlstrata/operations/comparison/graph.py").is_file():
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "mlstrata"
        package.mkdir()
        rooms = {init.parent for init in root.glob("*/__init__.py")} - {root / "mlstrata"}
        for path in [*(root / "mlstrata").iterdir(), *rooms]:
            (package / path.name).symlink_to(path)
        yield {"PYTHONPATH": os.pathsep.join((folder, str(root / "packages/pulumi-embedded")))}


def _plain(graph: Graph) -> Graph:
    """Return a graph as it is after it was written and read."""
    read: Graph = json.loads(as_json(graph))
    return read
