"""What an environment's file names of its workspace's own code: whether it is there, and in which version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from mlstrata.environments.spec.environment import EnvironmentSpec
from mlstrata.environments.spec.model import DOORS, ModelSpec
from mlstrata.environments.workspace import Workspace


def missing(spec: EnvironmentSpec, workspace: Workspace) -> Iterator[str]:
    """Yield a problem for each pipeline and learner that is named as `module:name` and that nothing has."""
    for at, system in enumerate(spec.systems):
        for door in DOORS:
            if problem := door.unknown_reference(getattr(system.model, door.field), workspace.root):
                yield f"systems[{at}].model.{door.field}: {problem.what}; {problem.fix}"


def code_version(model: ModelSpec, workspace: Workspace) -> str:
    """Name the version of the pipeline and learner of one's own that make a model; empty where it has neither.

    It is that of whole files and of their neighbours, which they may import.
    """
    found = hashlib.sha256()
    own = False
    for door in DOORS:
        module = door.reference(getattr(model, door.field)).partition(":")[0]
        file = door.file(module, workspace.root) if module else None
        for path in sorted(file.parent.glob("*.py")) if file else ():
            found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
            own = True
    return found.hexdigest()[:12] if own else ""
