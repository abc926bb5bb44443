"""What is refused before anything is registered: `mlstrata validate` and a plan ask here, and so say the same."""

from __future__ import annotations

from mlstrata.components.aws import problems as aws
from mlstrata.components.capability import known, unbuilt
from mlstrata.components.naming import judge, neighbours
from mlstrata.components.upstream.lock import LockError
from mlstrata.components.upstream.selection import selection_for
from mlstrata.environments import EnvironmentSpec, Loaded, SpecError, Workspace
from mlstrata.environments.guests import missing
from mlstrata.environments.spec.risk import Tier
from mlstrata.environments.stages import ENTRIES
from mlstrata.environments.usage import used_capabilities


def problems(spec: EnvironmentSpec, workspace: Workspace | None = None) -> list[str]:
    """Return every reason why an environment cannot be built as declared, each with its fix; empty when it can.

    Args:
        spec: The environment.
        workspace: The folder with its file, where what it names of that and of upstream software is judged too.
    """
    found = [*_prohibited(spec), *unbuilt(spec), *judge.problems(spec), *aws.problems(spec), *_declared(spec)]
    if workspace is not None:
        found += missing(spec, workspace)
        if spec.target.kind != "local":
            found += [*_upstream(spec, workspace), *neighbours.problems(spec, workspace)]
    return found


def refused(loaded: Loaded, workspace: Workspace) -> tuple[SpecError, ...]:
    """Return the same of a file, each with its line."""
    return tuple(loaded.error(problem) for problem in problems(loaded.spec, workspace))


def _prohibited(spec: EnvironmentSpec) -> list[str]:
    """Article 5 of the AI Act leaves no way to deploy: no exemption, no lower stage."""
    return [
        f"systems[{at}].risk.tier: {system.name} is declared 'unacceptable', a practice that Article 5 of the AI Act "
        "prohibits; it cannot be deployed: remove the system"
        for at, system in enumerate(spec.systems)
        if system.risk.tier is Tier.UNACCEPTABLE
    ]


def _declared(spec: EnvironmentSpec) -> list[str]:
    """Return what a valid file asks of the capabilities that it uses, and its target cannot do."""
    used = used_capabilities(spec)
    return [
        problem
        for one in known()
        if (builder := one.on(spec.target.kind)) and builder.problems and (one.name in used or one.name not in ENTRIES)
        for problem in builder.problems(spec)
    ]


def _upstream(spec: EnvironmentSpec, workspace: Workspace) -> list[str]:
    try:
        return list(selection_for(spec, workspace).problems)
    except LockError as error:
        return [str(error)]
