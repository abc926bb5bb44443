"""Whether the environments of a workspace that share a cluster keep out of each other's way.

What belongs to the whole cluster has one owner: an operator that two environments install would be upgraded and removed
by either, and a namespace of two would be closed and labelled by both.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlstrata.components.naming.made import Made, made
from mlstrata.components.upstream.package import Scope, UpstreamPackage
from mlstrata.components.upstream.selection import select
from mlstrata.environments import EnvironmentSpec, SpecErrors, Workspace, load
from mlstrata.environments.spec.target import KubernetesTarget
from mlstrata.environments.usage import used_capabilities


def problems(spec: EnvironmentSpec, workspace: Workspace) -> Iterator[str]:
    """Yield what an environment makes on its cluster that another one of the workspace makes there too."""
    target = spec.target
    if not isinstance(target, KubernetesTarget):
        return
    where = f"on the same cluster (target.context {target.context!r})"
    for other in _beside(spec, target, workspace):
        yield from _pieces(spec, other, where)
        yield from _names(spec, other, where)


def _beside(spec: EnvironmentSpec, target: KubernetesTarget, workspace: Workspace) -> Iterator[EnvironmentSpec]:
    for name, file in workspace.environment_files().items():
        if name == spec.name:
            continue
        try:
            # A file that never says the context is no neighbour's, and need not be judged.
            if target.context not in file.read_text(encoding="utf-8"):
                continue
            other = load(file)
        except (OSError, UnicodeDecodeError, SpecErrors):
            continue  # `validate` says so of that file
        if isinstance(other.target, KubernetesTarget) and other.target.context == target.context:
            yield other


def _managed(spec: EnvironmentSpec) -> dict[str, UpstreamPackage]:
    taken = select(spec, used_capabilities(spec)).taken
    return {one.piece.name: one.piece for one in taken if one.piece.scope is Scope.CLUSTER and not one.piece.exists}


def _pieces(spec: EnvironmentSpec, other: EnvironmentSpec, where: str) -> Iterator[str]:
    theirs, at = _managed(other), {pin.name: f"upstream[{at}].lifecycle" for at, pin in enumerate(spec.upstream)}
    both = [piece for name, piece in _managed(spec).items() if name in theirs]
    for piece in both:
        if not piece.fits:
            what = ", ".join(sorted(piece.capabilities & used_capabilities(spec))) or piece.name
            yield (
                f"capabilities.off: {other.name} has {piece.name} {where}, which serves one environment only; switch "
                f"{what}, and what needs it, off in one of the two, or give them clusters of their own"
            )
    if shared := [piece.name for piece in both if piece.fits]:
        written = ", ".join(f"{{name: {name}, lifecycle: existing}}" for name in shared)
        yield (
            f"{at.get(shared[0], 'upstream')}: {other.name} installs {', '.join(shared)} {where}, which has one of "
            f"each; in one of the two files write upstream: [{written}]"
        )


def _names(spec: EnvironmentSpec, other: EnvironmentSpec, where: str) -> Iterator[str]:
    theirs = {one.identity: one for one in made(other) if _of_cluster(one)}
    told = set()
    for one in made(spec):
        if _of_cluster(one) and one.identity in theirs and one.field not in told:
            told.add(one.field)
            yield (
                f"{one.field}: it makes the {one.kind} {one.name!r}, and so does {theirs[one.identity].field} of "
                f"{other.name} {where}; call one of them otherwise"
            )


def _of_cluster(one: Made) -> bool:
    return not one.namespace
