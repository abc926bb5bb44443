"""Which step a dynamic resource needs: pure decisions over old state, new inputs and the provider's diff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pulumi_embedded import paths
from pulumi_embedded.dispatch import Difference, Dispatcher
from pulumi_embedded.goal import Goal
from pulumi_embedded.state import ResourceState
from pulumi_embedded.types import Op, PropertyChange
from pulumi_embedded.values import UNKNOWN, changes, reveal, same
from pulumi_embedded.wire import PROVIDER_KEY


@dataclass(frozen=True)
class Decision:
    """The step to take; ``delete_first`` is delete-before-replace."""

    op: Op
    diff: tuple[PropertyChange, ...] = ()
    delete_first: bool = False


def decide(
    dispatcher: Dispatcher, goal: Goal, old: ResourceState | None, inputs: dict[str, Any], *, force: str = ""
) -> Decision:
    """Choose same, create, update or replace.

    Args:
        dispatcher: asks the provider for its diff.
        goal: what the program wants.
        old: what the state holds, if anything.
        inputs: checked inputs.
        force: "update" or "replace" when something other than the inputs asks for it.

    Raises:
        ProviderError: the provider's diff failed.
    """
    if old is None:
        return Decision("create")
    if old.pending_replacement:
        return Decision("replace", tuple(changes(old.inputs, inputs)))
    if old.taint or force == "replace":
        return Decision("replace", tuple(changes(old.inputs, inputs)), bool(goal.delete_before_replace))
    answer = dispatcher.diff(old.id, old.outputs, inputs)
    delta = tuple(changes(old.inputs, inputs))
    changed, replaces = _judged(answer, old.inputs, inputs, goal.replace_on_changes)
    diff = delta or _drift(old, inputs)
    if replaces:
        first = goal.delete_before_replace
        return Decision("replace", diff, bool(answer.delete_before_replace) if first is None else first)
    if changed or old.init_errors or force == "update":
        return Decision("update", diff)
    return Decision("same")


def _judged(
    answer: Difference, olds: Mapping[str, Any], news: Mapping[str, Any], replace_on_changes: Sequence[str]
) -> tuple[bool, bool]:
    """Return whether something changed, and whether that needs a replacement.

    A provider that says whether something changed does not say which properties did, as the protocol of dynamic
    providers has no place for it; so only where the comparison is left to the engine can ``replace_on_changes`` be
    asked, as under the CLI.
    """
    if answer.changes is not None:
        return answer.changes, answer.changes and bool(answer.replaces)
    before, after = reveal(olds), reveal(news)
    touched = [paths.parse(change.path) for change in changes(before, after)]
    named = [paths.parse(rule) for rule in replace_on_changes]
    changed = not same(before, after)
    listed = any(paths.contains(rule, path) for rule in named for path in touched)
    return changed, changed and (bool(answer.replaces) or listed)


def _drift(old: ResourceState, inputs: Mapping[str, Any]) -> tuple[PropertyChange, ...]:
    """When the inputs are the same, what differs is between them and the outputs a refresh found."""
    seen = {key: old.outputs[key] for key in inputs if key in old.outputs}
    return tuple(changes(seen, {key: inputs[key] for key in seen}))


def estimate(old: ResourceState | None, inputs: Mapping[str, Any]) -> Decision:
    """Compare the keys the program sets with the state, without a provider to ask."""
    if old is None:
        return Decision("create")
    delta = tuple(changes({key: old.inputs.get(key) for key in inputs}, inputs))
    return Decision("update" if delta else "same", delta)


def component(old: ResourceState | None, inputs: Mapping[str, Any], *, force: str = "") -> Decision:
    """Components have no provider: their inputs alone decide, unless something is replaced that they go with."""
    if old is None:
        return Decision("create")
    if force == "replace":
        return Decision("replace", tuple(changes(old.inputs, inputs)))
    if same(old.inputs, inputs):
        return Decision("same")
    return Decision("update", tuple(changes(old.inputs, inputs)))


def would_replace(dispatcher: Dispatcher, dependent: ResourceState, going: set[str]) -> bool:
    """Whether a dependent must go too when ``going`` are deleted first: its diff with what they gave it unknown."""
    if not dependent.is_dynamic:
        return False
    if dependent.deleted_with in going:
        return True
    touched = [key for key, urns in dependent.property_dependencies.items() if going.intersection(urns)]
    if not touched:
        return False
    inputs = {**dependent.inputs, **dict.fromkeys((key for key in touched if key != PROVIDER_KEY), UNKNOWN)}
    answer = dispatcher.diff(dependent.id, dependent.outputs, inputs)
    return _judged(answer, dependent.inputs, inputs, dependent.replace_on_changes)[1]
