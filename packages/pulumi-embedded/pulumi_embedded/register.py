"""Turns registrations of the program into steps: the heart of a run."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from pulumi_embedded import decide, paths
from pulumi_embedded import goal as goals
from pulumi_embedded.deletes import delete_first
from pulumi_embedded.dispatch import ProviderError
from pulumi_embedded.goal import Goal
from pulumi_embedded.leftovers import Leftovers
from pulumi_embedded.run import Run
from pulumi_embedded.state import DYNAMIC_PACKAGE, PROVIDER_PREFIX, STACK_TYPE, Operation, ResourceState, make_urn, now
from pulumi_embedded.types import Message, Op
from pulumi_embedded.values import Secret, has_asset, hide


@dataclass(frozen=True)
class Answer:
    """What the program gets back: its resource's URN, id ("" while unknown) and properties.

    ``wire`` has the properties in the protocol's form when they are what the program sent.
    """

    urn: str
    id: str
    properties: dict[str, Any]
    wire: Message | None = None


class Registrar:
    """Matches each registration with the old state, decides its step and takes it. Called from many threads."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.leftovers = Leftovers(run)
        self.stack_outputs: dict[str, Any] = {}
        self.seen: set[str] = set()
        self.states: dict[str, ResourceState] = {}
        self._goals: dict[str, Goal] = {}
        self._claimed: dict[str, str] = {}
        self._matched: set[str] = set()
        self._olds = {state.urn: state for state in run.journal.resources() if not state.delete}
        self._default: str | None = None

    # -- entry points -----------------------------------------------------------------------------------------

    def register(self, request: Message) -> Answer:
        """Handle one RegisterResource.

        Raises:
            Closed: the step failed, was refused, or the run is stopping.
        """
        run = self.run
        run.check_open()
        goal = goals.read(request, run.project, run.stack)
        with run.lock:
            if goal.urn in self.seen:
                message = "two resources of the program have this type, parent and name; give one another name"
                raise run.fail(goal.urn, goal.type, "create", message)
            self.seen.add(goal.urn)
            goals.inherit(goal, self._goals, run.project, run.stack)
            self._goals[goal.urn] = goal
            old = self._match(goal)
        if goal.is_dynamic:
            return self._dynamic(goal, old)
        if goal.remote or goal.custom:
            return self._foreign(goal, old)
        return self._component(goal, old)

    def outputs(self, urn: str, given: dict[str, Any]) -> None:
        """Handle one RegisterResourceOutputs."""
        state = self.states.get(urn)
        if state is None:
            return
        if state.type == STACK_TYPE:
            self.stack_outputs = given
        state.change(outputs=given)
        self.run.journal.touch()

    # -- matching ---------------------------------------------------------------------------------------------

    def _match(self, goal: Goal) -> ResourceState | None:
        """Take the old state of this URN, else of one of its aliases (and let all who refer to that one follow).

        Raises:
            Closed: another resource of the program has taken that state already.
        """
        for urn in [goal.urn, *goal.aliases]:
            if urn in self._claimed or (urn != goal.urn and urn in self._matched):
                other = self._claimed.get(urn, "that resource of the program itself")
                message = f"{urn} belongs to {other}; what was one resource can become one: remove an alias"
                raise self.run.fail(goal.urn, goal.type, "create", message)
            old = self._olds.get(urn)
            if old is None or old.custom != goal.custom:
                continue
            del self._olds[urn]
            self._matched.add(urn)
            if urn != goal.urn:
                goal.used = urn
                self._claimed[urn] = goal.urn
                old.change(urn=goal.urn, aliases=[])
                self.run.journal.rename({urn: goal.urn}, self.run.journal.resources())
            return old
        return None

    def left(self) -> list[ResourceState]:
        """Old states that nothing registered; what a plugin made inside a component that is still there stays."""
        with self.run.lock:
            return [old for old in self._olds.values() if not self._is_inside(old)]

    def _is_inside(self, old: ResourceState) -> bool:
        """Whether a component above it is one that a plugin makes: it alone knows what goes."""
        above: ResourceState | None = old
        while above is not None:
            goal = self._goals.get(self._claimed.get(above.parent, above.parent))
            if goal is not None:
                return goal.remote
            above = self._olds.get(above.parent)
        return False

    def _keep(self, state: ResourceState) -> None:
        with self.run.lock:
            self.states[state.urn] = state

    # -- components -------------------------------------------------------------------------------------------

    def _component(self, goal: Goal, old: ResourceState | None) -> Answer:
        run = self.run
        run.graph.append(goal.graph(""))
        decision = decide.component(old, goal.inputs, force=self._forced(goal))
        if old is None:
            state = goal.state(inputs=goal.inputs, created=now(), modified=now())
        else:
            changed = old.modified if decision.op == "same" else now()
            state = goal.state(inputs=goal.inputs, outputs=old.outputs, created=old.created, modified=changed)
        run.record(add=state, drop=old, wait=False)
        self._finish(goal, state, decision)
        return Answer(goal.urn, "", goal.inputs, goal.wire)

    def _forced(self, goal: Goal) -> str:
        """Tell "replace" when something that this resource goes with is replaced, else ""."""
        with_them = {*goal.replace_with, goal.deleted_with}
        return "replace" if self.run.replaced.intersection(with_them) else ""

    def _finish(self, goal: Goal, state: ResourceState, decision: decide.Decision, seconds: float = 0.0) -> None:
        if decision.op == "replace":
            with self.run.lock:
                self.run.replaced.add(goal.urn)
        self._keep(state)
        self.run.finish(state, decision.op, decision.diff, seconds)

    # -- what this engine has no provider for -----------------------------------------------------------------

    def _foreign(self, goal: Goal, old: ResourceState | None) -> Answer:
        """Plan by echoing the inputs; refuse in a real run."""
        run = self.run
        what = "component" if goal.remote else "provider" if goal.is_provider else "resource"
        if not run.dry_run or run.strict:
            raise run.refuse(f"{goal.type} ({what} {goal.name!r})", f"no provider for {goal.package!r} here")
        provider = goal.provider
        if goal.custom and not provider and not goal.is_provider:
            suffix = f"_{goal.version.replace('.', '_')}" if goal.version else ""
            kind = f"{PROVIDER_PREFIX}{goal.package}"
            provider = f"{make_urn(run.stack, run.project, '', kind, f'default{suffix}')}::"
        run.graph.append(goal.graph(provider))
        if goal.remote:
            run.emit.say("info", f"{goal.name}: {goal.type} is made by its plugin; not inspected", goal.urn)
            run.not_inspected.append(goal.type)
        if goal.import_id:
            run.emit.say("warning", f"{goal.name}: import of {goal.import_id} is planned as a create", goal.urn)
        # Its plugin registers the component that it makes, with what it chooses: what it left out has not changed.
        kept = {key: value for key, value in goal.inputs.items() if not goal.remote or not old or key in old.inputs}
        decision = decide.estimate(old, kept)
        state = goal.state(inputs=goal.inputs, id=old.id if old else "", provider="")
        self._keep(state)
        run.record(add=state, drop=old, wait=False)
        run.finish(state, decision.op, decision.diff, estimated=old is not None)
        if goal.remote:
            return Answer(goal.urn, state.id, {})
        if old and decision.op == "same":
            return Answer(goal.urn, state.id, {**old.outputs, **goal.inputs})
        return Answer(goal.urn, state.id, goal.inputs, goal.wire)

    # -- dynamic resources ------------------------------------------------------------------------------------

    def _refuse_unsupported(self, goal: Goal) -> None:
        run = self.run
        if goal.provider:
            raise run.refuse(f"an explicit provider for dynamic resource {goal.name!r}")
        if goal.import_id:
            raise run.refuse(f"the import option of {goal.name!r}")
        if goal.replacement_trigger is not None:
            raise run.refuse(f"the replacement_trigger option of {goal.name!r}")
        if has_asset(goal.inputs) and (not run.dry_run or run.strict):
            raise run.refuse(f"an asset or archive as input of dynamic resource {goal.name!r}")

    def _dynamic(self, goal: Goal, old: ResourceState | None) -> Answer:
        run = self.run
        self._refuse_unsupported(goal)
        reference = self.default_provider()
        run.graph.append(goal.graph(reference))
        try:
            if old is not None and not old.pending_replacement and self.leftovers.deleted(old):
                run.record(drop=old, wait=False)
                old = None
            inputs = self._checked(goal, old)
            if old is None or old.pending_replacement:
                adopted = self.leftovers.adopt(goal.urn, inputs)
                if adopted is not None:
                    if old is not None:
                        run.record(drop=old, wait=False)
                    old, inputs = adopted, self._checked(goal, adopted)
            force = self._forced(goal) or self.leftovers.force(goal.urn)
            decision = decide.decide(run.dispatcher, goal, old, inputs, force=force)
            # What is made anew has nothing to keep, whatever changes are ignored.
            inputs = self._checked(goal, None) if decision.op == "replace" else inputs
        except (ProviderError, ValueError) as error:
            raise run.fail(goal.urn, goal.type, "update" if old else "create", str(error)) from error
        state = goal.state(inputs=inputs, provider=reference)
        return self._take(goal, old, state, decision)

    def _checked(self, goal: Goal, old: ResourceState | None) -> dict[str, Any]:
        """Inputs with the ignored ones as they were (before Check, as Pulumi has it), then checked."""
        olds = old.inputs if old else {}
        kept = paths.keep_old(olds, goal.inputs, goal.ignore_changes) if old else goal.inputs
        return self.run.dispatcher.check(olds, kept)

    def _take(self, goal: Goal, old: ResourceState | None, state: ResourceState, decision: decide.Decision) -> Answer:
        run = self.run
        seconds = 0.0
        if decision.op == "same" and old is not None:
            state.change(
                id=old.id,
                outputs=hide(old.outputs, [*goal.additional_secret_outputs, *_secret(state.inputs)]),
                created=old.created,
                modified=old.modified,
            )
            run.record(*self.leftovers.touched(goal.urn), add=state, drop=old, wait=False)
        elif run.dry_run:
            self._plan(goal, old, state, decision)
        elif decision.op == "update" and old is not None:
            seconds = self._update(goal, old, state)
        else:
            seconds = self._create(goal, old, state, decision)
        self._finish(goal, state, decision, seconds)
        return Answer(goal.urn, state.id, state.outputs)

    def _plan(self, goal: Goal, old: ResourceState | None, state: ResourceState, decision: decide.Decision) -> None:
        """Echo the inputs; outputs that are not inputs are unknown to the program."""
        run = self.run
        if decision.op == "replace" and self._holds(goal, old):
            with run.lock:
                run.protected.append(goal.urn)
        if decision.delete_first and old is not None and not old.pending_replacement:
            delete_first(run, old, self.left())
        kept = old.id if old is not None and decision.op == "update" else ""
        state.change(id=kept, outputs=state.inputs)
        run.record(add=state, drop=old, wait=False)

    @staticmethod
    def _holds(goal: Goal, old: ResourceState | None) -> bool:
        """Whether the old one is protected from being replaced; to unprotect and replace it at once is allowed."""
        return old is not None and old.protect and bool(goal.protect) and not old.pending_replacement

    def _update(self, goal: Goal, old: ResourceState, state: ResourceState) -> float:
        run = self.run
        operation = Operation(state, "updating")
        state.change(id=old.id, outputs=old.outputs, created=old.created, modified=old.modified)
        found: dict[str, Any] = {}

        def call() -> None:
            found.update(run.dispatcher.update(old.id, old.outputs, state.inputs))

        seconds = run.perform(operation, "update", call)
        state.change(outputs=hide(found, goal.additional_secret_outputs), modified=now())
        run.record(operation, *self.leftovers.touched(goal.urn), add=state, drop=old)
        return seconds

    def _create(self, goal: Goal, old: ResourceState | None, state: ResourceState, decision: decide.Decision) -> float:
        run = self.run
        live = old is not None and not old.pending_replacement
        if self._holds(goal, old):
            raise run.fail(goal.urn, goal.type, "replace", "it is protected; set protect=False, run up, then try again")
        if live and old is not None and decision.delete_first:
            delete_first(run, old, self.left())
            live = False
        adopted = self.leftovers.matching(goal.urn, state.inputs)
        operation = Operation(state, "creating")
        found: list[tuple[str, dict[str, Any]]] = []
        op: Op = "replace" if old is not None else "create"
        seconds = run.perform(operation, op, lambda: found.append(run.dispatcher.create(state.inputs)))
        id_, outputs = found[0]
        state.change(id=id_, outputs=hide(outputs, goal.additional_secret_outputs), created=now(), modified=now())
        done = [operation, *adopted, *self.leftovers.touched(goal.urn)]
        run.record(*done, add=state, drop=None if live else old, retire=old if live else None)
        return seconds

    def default_provider(self) -> str:
        """Register the one provider of dynamic resources on first need; returns its reference."""
        run = self.run
        with run.lock:
            if self._default is None:
                kind = f"{PROVIDER_PREFIX}{DYNAMIC_PACKAGE}"
                urn = make_urn(run.stack, run.project, "", kind, "default")
                old = self._olds.pop(urn, None)
                made = ResourceState(urn=urn, type=kind, custom=True, created=now(), modified=now())
                made.change(id=old.id if old else str(uuid.uuid4()))
                if old is not None:
                    made.change(
                        created=old.created,
                        modified=old.modified,
                        inputs=old.inputs,
                        outputs=old.outputs,
                        extra=old.extra,
                    )
                run.record(add=made, drop=old, wait=False)
                self.seen.add(urn)
                self._default = f"{urn}::{made.id}"
            return self._default


def _secret(inputs: dict[str, Any]) -> list[str]:
    """Keys whose input is secret: their outputs are, even if the provider was not asked again."""
    return [key for key, value in inputs.items() if isinstance(value, Secret)]
