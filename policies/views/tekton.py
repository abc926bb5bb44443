"""Tekton's pods: steps and sidecars are the containers, a template beside them holds what steps share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mlstrata.policies.core.values import Unknown, Value, dig, listed

TEMPLATE = "stepTemplate"
CONTEXTS = ("podTemplate.securityContext", "taskRunTemplate.podTemplate.securityContext")
"""Where a run gives the security context of its pods."""


def steps(task: Mapping[str, Value], given: Iterable[Value]) -> Iterator[Value]:
    """Yield the containers among what a task, or any other kind, lists.

    Args:
        task: What the list is in.
        given: The list. A step may have its image from the task's template; one that names an action has none, and the
            action is a resource of its own.
    """
    shared = dig(task, TEMPLATE, {})
    for one in given:
        if not isinstance(one, Mapping) or "ref" in one:
            continue
        if isinstance(one.get("image", shared.get("image")), str | Unknown):
            yield _step(shared, one) if shared or "computeResources" in one else one


def _step(shared: Mapping[str, Value], step: Mapping[str, Value]) -> Mapping[str, Value]:
    found = {**shared, **step}
    found["securityContext"] = {**dig(shared, "securityContext", {}), **dig(step, "securityContext", {})}
    found["env"] = [*listed(shared, "env"), *listed(step, "env")]
    found["resources"] = found.get("computeResources", found.get("resources"))
    return found
