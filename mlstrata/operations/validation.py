"""Is an environment's file one that a plan takes?"""

from __future__ import annotations

from pathlib import Path

from mlstrata.environments import EnvironmentSpec, SpecErrors, Workspace, load_with_places


def validated(path: Path) -> EnvironmentSpec:
    """Return an environment that a plan would take.

    Raises:
        SpecErrors: it is none; every error at once.
    """
    from mlstrata.components import guests
    from mlstrata.stacks.preconditions import refused

    workspace = Workspace.find()
    guests.load(workspace)
    loaded = load_with_places(path)
    if found := refused(loaded, workspace):
        raise SpecErrors(found)
    return loaded.spec
