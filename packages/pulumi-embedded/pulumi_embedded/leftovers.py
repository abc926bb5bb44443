"""What a dead run left behind: operations whose start is recorded and whose end is not.

Providers create idempotently: creating again adopts or replaces what the dead run made. So an unfinished create
with the same identity is simply created again; one of another identity (its provider would replace it) is
adopted by creating it as it was recorded, and then goes the way of any resource that is no longer wanted.
"""

from __future__ import annotations

from typing import Any

from pulumi_embedded.dispatch import ProviderError
from pulumi_embedded.errors import EngineError
from pulumi_embedded.run import Run
from pulumi_embedded.state import Operation, ResourceState, now
from pulumi_embedded.values import hide


class Leftovers:
    """Pending operations found at the start of a run, by URN."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._creates: dict[str, list[Operation]] = {}
        self._touched: dict[str, list[Operation]] = {}
        for operation in run.journal.operations():
            kept = self._creates if operation.type == "creating" else self._touched
            kept.setdefault(operation.resource.urn, []).append(operation)

    def force(self, urn: str) -> str:
        """Tell "update" when an update or a delete of this resource was cut short, else ""."""
        return "update" if urn in self._touched else ""

    def deleted(self, old: ResourceState) -> bool:
        """Whether a delete of this resource was cut short after it had done its work.

        Raises:
            ProviderError: its provider cannot tell.
        """
        if not any(operation.type == "deleting" for operation in self._touched.get(old.urn, [])):
            return False
        return not self._run.dispatcher.read(old.id, old.inputs, old.outputs)[0]

    def touched(self, urn: str) -> list[Operation]:
        """Take the unfinished updates and deletes of a resource that is now being brought up to date."""
        return self._touched.pop(urn, [])

    def matching(self, urn: str, inputs: dict[str, Any]) -> list[Operation]:
        """Take the unfinished creates that creating with these inputs adopts."""
        found = [op for op in self._creates.get(urn, []) if self._same_identity(op.resource, inputs)]
        self._creates[urn] = [op for op in self._creates.get(urn, []) if op not in found]
        return found

    def _same_identity(self, made: ResourceState, inputs: dict[str, Any]) -> bool:
        try:
            answer = self._run.dispatcher.diff(made.id, made.inputs, inputs)
        except ProviderError:
            return True
        return not (answer.replaces and answer.changes is not False)

    def adopt(self, urn: str, inputs: dict[str, Any]) -> ResourceState | None:
        """Adopt an unfinished create of another identity as the present state of a resource that has none."""
        waiting = [op for op in self._creates.get(urn, []) if not self._same_identity(op.resource, inputs)]
        if not waiting or self._run.dry_run:
            return None
        return self._adopt(waiting[0])

    def orphans(self) -> list[ResourceState]:
        """Adopt every unfinished create that nothing wanted, for deletion, and forget the other operations."""
        adopted = [self._adopt(op, retire=True) for ops in list(self._creates.values()) for op in list(ops)]
        for ops in self._touched.values():
            self._run.record(*ops, wait=False)
        self._touched.clear()
        return [state for state in adopted if state is not None]

    def _adopt(self, operation: Operation, *, retire: bool = False) -> ResourceState | None:
        run, made = self._run, operation.resource
        waiting = self._creates.get(made.urn, [])
        if operation in waiting:
            waiting.remove(operation)
        if not made.is_dynamic:
            run.emit.say("warning", f"{made.name}: a dead run may have created it; look for it by hand", made.urn)
            run.record(operation, wait=False)
            return None
        run.check_open()
        try:
            id_, outputs = run.dispatcher.create(made.inputs)
        except ProviderError as error:
            run.emit.say(
                "warning", f"{made.name}: a dead run was creating it; taking that as not done ({error})", made.urn
            )
            run.record(operation, wait=False)
            return None
        made.change(id=id_, outputs=hide(outputs, made.additional_secret_outputs), created=now(), modified=now())
        made.change(delete=retire)
        try:
            run.journal.adopt(operation, self._rooted(made))
        except EngineError as error:
            raise run.stop(error) from error
        return made

    def _rooted(self, state: ResourceState) -> ResourceState:
        """Drop references to what is no longer in the snapshot: the adopted one comes last anyway."""
        present = {other.urn for other in self._run.journal.resources()}
        providers = {f"{other.urn}::{other.id}" for other in self._run.journal.resources() if other.is_provider}
        dynamic = next((ref for ref in providers if "::pulumi:providers:pulumi-python::" in ref), "")
        state.change(
            parent=state.parent if state.parent in present else "",
            provider=state.provider if state.provider in providers else dynamic,
            deleted_with="",
            replace_with=[],
            dependencies=[urn for urn in state.dependencies if urn in present],
            property_dependencies={
                key: [urn for urn in urns if urn in present] for key, urns in state.property_dependencies.items()
            },
        )
        return state
