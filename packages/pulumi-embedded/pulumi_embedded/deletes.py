"""Deletes in dependency order: whatever needs a resource goes before it, the rest at the same time."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Sequence

from pulumi_embedded.decide import would_replace
from pulumi_embedded.dispatch import ProviderError
from pulumi_embedded.run import Closed, Run
from pulumi_embedded.state import Operation, ResourceState
from pulumi_embedded.threads import heed_signals


def dependents(states: Sequence[ResourceState]) -> dict[int, set[int]]:
    """For each state (by position), the positions of those that must be deleted before it."""
    places: dict[str, list[int]] = {}
    for index, state in enumerate(states):
        places.setdefault(state.urn, []).append(index)
    before: dict[int, set[int]] = {index: set() for index in range(len(states))}
    for index, state in enumerate(states):
        for urn in state.references():
            for place in places.get(urn, ()):
                if place != index and states[place].urn != state.urn:
                    before[place].add(index)
    return before


def check_supported(run: Run, states: Sequence[ResourceState]) -> None:
    """Refuse what cannot be deleted here, and what is protected, before anything is.

    Raises:
        Closed: a resource of another package, or a protected one, is among them.
    """
    for state in states:
        mine = not state.custom or state.is_dynamic or state.is_provider or state.external or state.pending_replacement
        if not mine and not state.retain_on_delete and (not run.dry_run or run.strict):
            raise run.refuse(
                f"deleting {state.type} ({state.name!r})", f"no provider for {state.type.split(':')[0]!r} here"
            )
    with run.lock:
        run.protected += [state.urn for state in states if state.protect and not state.pending_replacement]


class Deleter:
    """Deletes a set of states with ``run.parallel`` threads.

    Args:
        run: the run they belong to.
        states: what to delete.
        silent: ids (`id()`) of states whose deletion is part of a replacement: no step of their own.
    """

    def __init__(self, run: Run, states: Sequence[ResourceState], silent: frozenset[int] = frozenset()) -> None:
        self._run, self._states, self._silent = run, list(states), silent
        self._going = {state.urn for state in states}
        gone = {id(state) for state in states}
        self._lives = {(state.urn, state.id) for state in run.journal.resources() if state.id and id(state) not in gone}
        self._before = dependents(self._states)
        self._left = set(range(len(self._states)))
        self._active = 0
        self._turn = threading.Condition()

    def delete_all(self) -> None:
        """Delete everything; returns when done or, after a failure, when what was running has ended."""
        if not self._states:
            return
        # A plan calls no provider: one thread tells the steps in one order.
        count = 1 if self._run.dry_run else min(self._run.parallel, len(self._states))
        context = contextvars.copy_context()
        threads = [
            threading.Thread(target=context.copy().run, args=(self._work,), name=f"engine-delete-{index}", daemon=True)
            for index in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive() and not self._run.cancel.hard:
                thread.join(0.2)
                heed_signals()

    def _next(self) -> int | None:
        """Take one whose dependents are all gone; None when none is left or the run stops."""
        with self._turn:
            while self._left and not self._run.closed:
                ready = [index for index in self._left if not self._before[index]]
                if not ready and not self._active:
                    ready = [max(self._left)]  # a cycle between generations of replaced resources: newest first
                if ready:
                    index = max(ready)
                    self._left.discard(index)
                    self._active += 1
                    return index
                self._turn.wait(0.5)
            self._turn.notify_all()
            return None

    def _work(self) -> None:
        while (index := self._next()) is not None:
            done, state = False, self._states[index]
            try:
                with self._run.busy():
                    # A create that adopted what an earlier run was to delete: it is the same thing, and wanted.
                    adopted = state.delete and (state.urn, state.id) in self._lives
                    silent = adopted or id(state) in self._silent
                    delete_one(self._run, state, self._going, silent=silent, forget=adopted)
                done = True
            except Closed:
                pass  # recorded in the run, which is closed now
            finally:
                with self._turn:
                    self._active -= 1
                    if done:
                        for waiting in self._before.values():
                            waiting.discard(index)
                    self._turn.notify_all()


def delete_one(
    run: Run, state: ResourceState, going: set[str], *, silent: bool = False, keep: bool = False, forget: bool = False
) -> None:
    """Delete one resource and drop it from the snapshot (or, ``keep``, mark it as to be replaced).

    With ``forget`` its provider is not called.

    Raises:
        Closed: it failed or the run is stopping.
    """
    seconds = 0.0
    operations: list[Operation] = []
    hands_off = (
        not state.custom
        or state.is_provider
        or state.external
        or state.retain_on_delete
        or state.pending_replacement
        or state.deleted_with in going
        or forget
    )
    if not hands_off and not run.dry_run:
        operation = Operation(state, "deleting")
        operations.append(operation)
        seconds = run.perform(
            operation,
            "delete",
            lambda: run.dispatcher.delete(state.id, state.inputs, state.outputs),
            announce=not silent,
        )
    if keep:
        state.change(pending_replacement=True)
        run.record(*operations)
    else:
        run.record(*operations, drop=state, wait=bool(operations))
    if not silent and not (state.is_provider and state.urn.endswith("::default")) and not state.pending_replacement:
        run.finish(state, "delete", (), seconds)


def delete_first(run: Run, old: ResourceState, waiting: Sequence[ResourceState]) -> None:
    """Delete a resource before its replacement is made, and before it the dependents its deletion replaces.

    Raises:
        Closed: one of them is protected, or a delete failed.
    """
    order = {id(state): index for index, state in enumerate(run.journal.resources())}
    going, urns = [old], {old.urn}
    for state in sorted(waiting, key=lambda candidate: order.get(id(candidate), 0)):
        if state.pending_replacement or state.urn in urns or not state.references() & urns:
            continue
        if old.urn in state.replace_with or old.urn == state.deleted_with:
            going.append(state)
            urns.add(state.urn)
            continue
        try:
            replaced = would_replace(run.dispatcher, state, urns)
        except ProviderError:
            replaced = False
        if replaced:
            going.append(state)
            urns.add(state.urn)
    protected = [state for state in going if state.protect]
    if run.dry_run:
        with run.lock:
            run.protected += [state.urn for state in protected if state is not old]
        for state in going[1:]:
            state.change(pending_replacement=True)
        return
    if protected:
        names = ", ".join(state.name for state in protected)
        raise run.fail(old.urn, old.type, "replace", f"{names}: protected; set protect=False, run up, then try again")
    for state in reversed(going):
        delete_one(run, state, urns, silent=True, keep=True)
