"""The order in which resources are told: threads register them in any, and equal programs have equal results."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from pulumi_embedded.types import GraphResource, Step


def in_order(graph: Sequence[GraphResource]) -> tuple[GraphResource, ...]:
    """Return resources by URN, but each after its parent, its provider and what it depends on."""
    known = {one.urn: one for one in graph}
    needs = {one.urn: _needs(one) & known.keys() for one in graph}
    needed_by: dict[str, list[str]] = {}
    for urn, others in needs.items():
        for other in others:
            needed_by.setdefault(other, []).append(urn)
    ready = [urn for urn, others in needs.items() if not others]
    heapq.heapify(ready)
    found: list[GraphResource] = []
    while ready:
        urn = heapq.heappop(ready)
        found.append(known[urn])
        for other in needed_by.get(urn, ()):
            needs[other].discard(urn)
            if not needs[other]:
                heapq.heappush(ready, other)
    return tuple(found)


def steps_in_order(steps: Sequence[Step], graph: Sequence[GraphResource]) -> tuple[Step, ...]:
    """Return planned steps in the order of the graph; what is deleted comes last, as it does when it is done."""
    place = {one.urn: index for index, one in enumerate(graph)}
    return tuple(sorted(steps, key=lambda step: len(place) if step.op == "delete" else place.get(step.urn, len(place))))


def _needs(one: GraphResource) -> set[str]:
    return {one.parent, one.provider.rpartition("::")[0], *one.dependencies} - {one.urn}
