"""Refresh: reads every resource and brings the snapshot in line with what is there."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pulumi_embedded.dispatch import ProviderError
from pulumi_embedded.run import Run
from pulumi_embedded.state import ResourceState, Snapshot, now
from pulumi_embedded.threads import heed_signals
from pulumi_embedded.types import Step, StepFinished
from pulumi_embedded.values import changes, hide, same


@dataclass
class _Found:
    state: ResourceState
    id: str
    outputs: dict[str, Any]
    inputs: dict[str, Any] | None


def refresh(run: Run, snapshot: Snapshot) -> tuple[Snapshot, tuple[Step, ...], tuple[Step, ...]]:
    """Read every resource of a snapshot with ``run.parallel`` threads.

    Returns:
        The snapshot as it really is, the drift (op "update": other properties; "delete": gone), and one step a
        resource read.

    Raises:
        Closed: a read failed or the run is stopping.
    """
    readable = [state for state in snapshot.resources if state.is_dynamic and not state.external and not state.delete]
    others = sorted({s.type for s in snapshot.resources if s.custom and not s.is_dynamic and not s.is_provider})
    for kind in others:
        run.emit.say("warning", f"{kind} is managed by a plugin; not read")
    found = _read_all(run, readable)
    run.check_open()
    drift, steps, gone, fresh = [], [], set(), {}
    for item in found:
        step, replacement = _compare(item)
        steps.append(Step(item.state.urn, item.state.type, "read"))
        if step is not None:
            drift.append(step)
            run.emit(StepFinished(step))
        if replacement is not None:
            fresh[id(item.state)] = replacement
        elif step is not None:
            gone.add(id(item.state))
    resources = [fresh.get(id(state), state) for state in snapshot.resources if id(state) not in gone]
    lost = [state for state in snapshot.resources if id(state) in gone]
    return Snapshot(_mend(resources, lost), snapshot.operations, snapshot.metadata), tuple(drift), tuple(steps)


def _compare(item: _Found) -> tuple[Step | None, ResourceState | None]:
    """Give the drift of one resource and its new state (None twice: unchanged; a step alone: gone)."""
    state = item.state
    if not item.id:
        return Step(state.urn, state.type, "delete"), None
    outputs = hide(item.outputs, state.additional_secret_outputs)
    unchanged = same(state.outputs, outputs) and (item.inputs is None or same(state.inputs, item.inputs))
    if unchanged and item.id == state.id:
        return None, None
    fresh = ResourceState(**{key: value for key, value in vars(state).items() if not key.startswith("_")})
    fresh.change(id=item.id, outputs=outputs, inputs=item.inputs or state.inputs, modified=now())
    delta = tuple(changes(state.outputs, outputs)) or tuple(changes(state.inputs, fresh.inputs))
    return Step(state.urn, state.type, "update", delta), fresh


def _mend(resources: list[ResourceState], lost: Sequence[ResourceState]) -> list[ResourceState]:
    """Drop references to resources that are gone; their children go up to the nearest parent that is left."""
    present = {state.urn for state in resources}
    parents = {state.urn: state.parent for state in lost if state.urn not in present}
    if not parents:
        return resources
    for state in resources:
        if not state.references() & parents.keys():
            continue
        parent = state.parent
        while parent in parents:
            parent = parents[parent]
        state.change(
            parent=parent,
            deleted_with="" if state.deleted_with in parents else state.deleted_with,
            dependencies=[urn for urn in state.dependencies if urn not in parents],
            property_dependencies={
                key: [urn for urn in urns if urn not in parents] for key, urns in state.property_dependencies.items()
            },
        )
    return resources


def _read_all(run: Run, states: Sequence[ResourceState]) -> list[_Found]:
    found: list[_Found | None] = [None] * len(states)
    waiting = iter(list(enumerate(states)))
    guard = threading.Lock()

    def work() -> None:
        while not run.closed:
            with guard:
                job = next(waiting, None)
            if job is None:
                return
            index, state = job
            with run.busy(), run.slots:
                try:
                    found[index] = _Found(state, *run.dispatcher.read(state.id, state.inputs, state.outputs))
                except ProviderError as error:
                    run.fail(state.urn, state.type, "read", str(error))

    context = contextvars.copy_context()
    threads = [
        threading.Thread(target=context.copy().run, args=(work,), name=f"engine-read-{index}", daemon=True)
        for index in range(min(run.parallel, len(states)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive() and not run.cancel.hard:
            thread.join(0.2)
            heed_signals()
    return [item for item in found if item is not None]
