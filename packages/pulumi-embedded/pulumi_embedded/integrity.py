"""What must hold in every snapshot, as the CLI would check it: a broken one is never written and never used."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi_embedded.state import Operation, ResourceState, provider_urn


def problems(resources: Sequence[ResourceState], operations: Sequence[Operation] = ()) -> list[str]:
    """List what is wrong, one sentence each; empty when the snapshot is whole."""
    found: list[str] = []
    earlier: set[str] = set()
    live: set[str] = set()
    providers: set[str] = set()
    for state in resources:
        if not (
            _shaped(state) and state.references() <= earlier and (not state.provider or state.provider in providers)
        ):
            found += _of(state, earlier, providers)
        if not state.delete:
            if state.urn in live:
                found.append(f"{state.urn} is there twice and neither is marked for deletion")
            live.add(state.urn)
        if state.is_provider:
            providers.add(f"{state.urn}::{state.id}")
        earlier.add(state.urn)
    found += [
        f"pending operation without a URN ({operation.type})" for operation in operations if not operation.resource.urn
    ]
    return found


def _shaped(state: ResourceState) -> bool:
    """Whether a state is in order by itself; most are, and need no closer look."""
    id_is_right = bool(state.id) if state.custom else not state.id
    return id_is_right and state.urn.startswith("urn:pulumi:") and state.urn.count("::") > 2  # noqa: PLR2004 - stack, project


def _of(state: ResourceState, earlier: set[str], providers: set[str]) -> list[str]:
    found: list[str] = []
    urn = state.urn
    if urn.count("::") < 3 or not urn.startswith("urn:pulumi:"):  # noqa: PLR2004 - stack, project, type, name
        return [f"{urn!r} is not a URN"]
    if not state.custom and state.id:
        found.append(f"{urn} is a component and has an id")
    if state.custom and not state.id and not state.pending_replacement:
        found.append(f"{urn} has no id")
    if state.parent and state.parent not in earlier:
        found.append(f"{urn} comes before its parent {state.parent}")
    if state.provider and state.provider not in providers:
        found.append(f"{urn} refers to provider {provider_urn(state.provider)}, which does not come before it")
    if state.deleted_with and state.deleted_with not in earlier:
        found.append(f"{urn} comes before {state.deleted_with}, which it is deleted with")
    found += [f"{urn} comes before its dependency {other}" for other in state.dependencies if other not in earlier]
    for key, urns in state.property_dependencies.items():
        found += [f"{urn} comes before {other}, which its {key} depends on" for other in urns if other not in earlier]
    return found
