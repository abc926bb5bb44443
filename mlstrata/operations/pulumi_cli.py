"""The Pulumi CLI, driven by its Automation API: the same program, state, progress and result as the embedded engine."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.interruption import Interruption
from mlstrata.operations.policy_check import planned
from mlstrata.operations.reporting import SILENT

if TYPE_CHECKING:
    from pulumi import automation

    import pulumi_embedded
    from mlstrata.clients.kubernetes import Cluster
    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.engines import Approval, Listener
    from mlstrata.operations.pending.look import Look, Looking
    from mlstrata.operations.pending.watch import Told
    from mlstrata.operations.reporting import Reporter
    from pulumi_embedded.types import Op, Severity

_OPS: Mapping[str, Op] = {
    "create": "create",
    "create-replacement": "replace",
    "update": "update",
    "delete": "delete",
    "read": "read",
    "same": "same",
}
"""The CLI's operations by what the embedded engine calls them; its others are parts of these."""
PULUMI = "pulumi"
_MARKUP = re.compile(r"<\{%[^%]*%\}>")
_PATIENCE_S = 20.0
"""How long a cluster that does not answer is asked again before an update."""
_BEGUN = "pending operations from previous deployment"
"""What the CLI warns of after a run that was killed."""
_LINES = 5
"""How much of what the CLI says is told, where no event says why it ended."""


@dataclass(frozen=True)
class PulumiCli:
    """The Pulumi CLI, driven by its Automation API with this process's own program.

    Attributes:
        deployment: The environment.
        reporter: Told what waits in the cluster, and for what, while an update runs.
        name: What it is called.
        waited: What was told.
    """

    deployment: Deployment
    reporter: Reporter = SILENT
    name: str = "Pulumi CLI"
    waited: list[Told] = field(default_factory=list)

    def up(self, listen: Listener, approve: Approval) -> pulumi_embedded.Result:
        """Make the environment, once the plan that needs neither cluster nor state is approved.

        Raises:
            ClusterError: the cluster does not answer or refuses the credentials; nothing was changed.
            Unfit: the cluster has what is not the environment's; nothing was changed.
        """
        from mlstrata.operations.beside.ask import refuse_unfit

        # What is judged is the whole, also where one layer alone is made.
        plan = planned(replace(self.deployment, is_alone=False))
        approve(plan)
        look = self._look(plan.graph)
        cluster = replace(look.cluster, patience_s=_PATIENCE_S) if look is not None else None
        if cluster is not None:
            cluster.reach()
            if unasked := refuse_unfit(self.deployment, plan, cluster):
                self.reporter.note(f"not asked whether the cluster has what is others': {unasked}")

        def update(stack: automation.Stack, events: Callable[[automation.EngineEvent], None]) -> None:
            if cluster is not None:
                self._clear_releases(stack, cluster)
            # What failed stops what stands on it, and nothing else.
            stack.up(on_event=events, color="never", continue_on_error=True)

        with self._watching(look):
            done = self._run(listen, update)
        if any(_BEGUN in one.message for one in done.diagnostics):
            self._forget_begun()
        return done

    def down(self, listen: Listener) -> pulumi_embedded.Result:
        """Delete every resource, those with data excepted: they are retained."""
        # What is protected stays, and with it what it stands on: without this one such resource would refuse it all.
        kept = self.deployment.is_substrate
        return self._run(
            listen, lambda stack, events: stack.destroy(on_event=events, color="never", exclude_protected=kept)
        )

    def recorded(self) -> int:
        """Return how many resources the stack's state records; 0 where there is no such stack.

        Where there is no CLI to ask, no other state than the workspace's own is known.

        Raises:
            Failed: the CLI cannot read it.
        """
        if self._in_workspace or shutil.which(PULUMI) is None:
            return len(self.deployment.state.resources)
        from pulumi import automation

        try:
            state = self._stack(automation.select_stack).export_stack()
        except automation.StackNotFoundError:
            return 0
        except automation.CommandError as error:
            raise Failed(_said(error)) from None
        return len((state.deployment or {}).get("resources") or [])

    def _look(self, plan: Sequence[pulumi_embedded.GraphResource]) -> Look | None:
        """Return what looks at the environment's cluster; None: it has none, or none yet."""
        from mlstrata.environments.spec.target import AwsTarget
        from mlstrata.operations.pending.look import look_of

        if self.deployment.is_substrate:
            return None  # it has no cluster before it is made
        if not isinstance(self.deployment.spec.target, AwsTarget):
            return look_of(plan)
        # The plan needs no account: it may stand on a file, which names no cluster that there is.
        kubeconfig = self._kubeconfig()
        return look_of(plan, kubeconfig) if kubeconfig else None

    def _kubeconfig(self) -> str:
        """Return the kubeconfig of the cluster of the substrate's stack; empty: the program says what is wrong."""
        from pulumi import automation
        from pydantic import ValidationError

        from mlstrata.environments.layers import stack_of
        from mlstrata.stacks.providers import kubeconfig_of
        from mlstrata.stacks.substrate import SubstrateOutputs

        try:
            found = self._stack().workspace.stack_outputs(stack_of(self.deployment.name))
            return kubeconfig_of(SubstrateOutputs.model_validate({name: one.value for name, one in found.items()}))
        except (automation.CommandError, automation.InvalidVersionError, ValidationError):
            return ""

    @contextmanager
    def _watching(self, look: Looking | None) -> Iterator[None]:
        """Tell what waits in the cluster for as long as the block runs."""
        if look is None:
            yield
            return
        from mlstrata.operations.pending.watch import Watch

        with Watch(look, self.reporter.note, told=self.waited):
            yield

    def _run(
        self, listen: Listener, run: Callable[[automation.Stack, Callable[[automation.EngineEvent], None]], object]
    ) -> pulumi_embedded.Result:
        """Run the CLI and pass on what it does.

        Raises:
            StackLocked: another run of it is under way.
            Cancelled: it was interrupted.
            StepsFailed: a step failed; what was done before is recorded.
            UsageError: the CLI does not say its version.
            Failed: the CLI ended otherwise; the message is its own.
        """
        from pulumi import automation

        import pulumi_embedded

        self._remove_dead_locks()
        began, seen = time.monotonic(), Followed(listen)
        with _interruptible() as interruption:
            try:
                run(self._stack(), seen)
            except automation.InvalidVersionError as error:
                raise UsageError(f"{shutil.which(PULUMI)}: {error}; install one of its releases") from None
            except automation.CommandError as error:
                if interruption.requested:
                    raise pulumi_embedded.Cancelled(hard=interruption.hard) from None
                if seen.failed:
                    raise pulumi_embedded.StepsFailed(tuple(seen.failed)) from None
                raise Failed(seen.reason or _said(error)) from None
        return pulumi_embedded.Result(
            tuple(seen.done), {}, diagnostics=tuple(seen.diagnostics), seconds=time.monotonic() - began
        )

    def _stack(self, open_stack: Callable[..., automation.Stack] | None = None) -> automation.Stack:
        """Return the stack, made where there is none; `open_stack` opens it otherwise."""
        from pulumi import automation

        one, workspace = self.deployment, self.deployment.workspace
        workspace.keep_from_git()
        variables = {
            "PULUMI_CONFIG_PASSPHRASE": one.passphrase(create=True),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        if self._in_workspace:
            variables["PULUMI_BACKEND_URL"] = workspace.root.as_uri()
        return (open_stack or automation.create_or_select_stack)(
            stack_name=one.stack,
            project_name=workspace.project,
            program=self._program(),
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(workspace.root), env_vars=variables, project_settings=self._settings()
            ),
        )

    @property
    def _in_workspace(self) -> bool:
        """Whether the state is in the workspace's own folder: neither variables nor the project name another place."""
        return "PULUMI_BACKEND_URL" not in os.environ and not self.deployment.workspace.names_backend

    def _forget_begun(self) -> None:
        """Forget creations that a run which was killed had begun, once all of it is there.

        The CLI keeps them until somebody says that no such object was made. Ours are adopted if one was, so the update
        that went before has settled it.
        """
        from pulumi import automation

        stack = self._stack()
        state = stack.export_stack()
        if state.deployment and state.deployment.get("pending_operations"):
            settled = {**state.deployment, "pending_operations": []}
            stack.import_stack(automation.Deployment(version=state.version, deployment=settled))

    def _clear_releases(self, stack: automation.Stack, cluster: Cluster) -> None:
        """Have Helm install anew what a run that was killed had begun to install.

        Raises:
            ClusterError: the cluster does not let it.
        """
        from mlstrata.operations.halted_releases import clear, halted

        state = stack.export_stack()
        if not (begun := halted(state.deployment or {})):
            return
        # It takes the stack's lock: where somebody else's update is under way, this ends here.
        stack.import_stack(state)
        for one in begun:
            if clear(cluster, one):
                self.reporter.note(f"chart {one.name} in {one.namespace}: the run that installed it was killed; again")

    def _remove_dead_locks(self) -> None:
        """Remove the lock of a run that was killed, as the embedded engine does; the CLI asks for a `cancel` instead.

        Raises:
            StackLocked: whoever holds it is alive, or is on another machine.
        """
        from pulumi_embedded.lock import hold

        one = self.deployment
        if self._in_workspace:
            with hold(one.backend, one.workspace.project, one.stack) as removed:
                for sentence in removed:
                    self.reporter.note(sentence)

    def _settings(self) -> automation.ProjectSettings | None:
        """Return what a workspace without a Pulumi.yaml of its own is given; None where it has one."""
        from pulumi import automation

        if (self.deployment.workspace.root / "Pulumi.yaml").is_file():
            return None
        project = self.deployment.workspace.project
        return automation.ProjectSettings(name=project, runtime="python", main=str(self.deployment.workspace.program))

    def _program(self) -> Callable[[], None]:
        """Return the workspace's own program where its Pulumi.yaml names one, else the one that is installed."""
        from mlstrata.environments.installation import room

        folder = self.deployment.workspace.program
        if folder != room("stacks"):
            return lambda: _run_file(str(folder / "__main__.py"))
        from mlstrata.stacks.program import build

        return lambda: build(self.deployment.stack)


def _run_file(path: str) -> None:
    runpy.run_path(path, run_name="__main__")


@dataclass
class Followed:
    """What the CLI's events come to, in the words of the embedded engine."""

    listen: Listener
    done: list[pulumi_embedded.Step] = field(default_factory=list)
    failed: list[pulumi_embedded.StepFailed] = field(default_factory=list)
    diagnostics: list[pulumi_embedded.Diagnostic] = field(default_factory=list)
    _begun: dict[str, float] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Return the errors that are of no step, such as one of the program's."""
        return "\n".join(one.message for one in self.diagnostics if one.severity == "error")

    def __call__(self, event: automation.EngineEvent) -> None:
        """Take one event of the CLI."""
        import pulumi_embedded

        if (pre := event.resource_pre_event) is not None and pre.metadata.op in _OPS:
            step = pre.metadata
            self._begun[step.urn] = time.monotonic()
            self.listen(pulumi_embedded.StepStarted(step.urn, step.type, _OPS[step.op]))
        elif (ended := event.res_outputs_event) is not None and ended.metadata.op in _OPS:
            self._ended(ended.metadata)
        elif (failed := event.res_op_failed_event) is not None:
            step = failed.metadata
            message = self._last_error(step.urn) or "the provider gave no reason"
            found = pulumi_embedded.StepFailed(step.urn, step.type, _OPS.get(step.op, "update"), message)
            self.failed.append(found)
            self.listen(found)
        elif (said := event.diagnostic_event) is not None and said.severity in ("warning", "error", "info#err"):
            severity: Severity = "warning" if said.severity == "warning" else "error"
            one = pulumi_embedded.Diagnostic(severity, _unmarked(said.message).strip(), said.urn or "")
            if one.message and one not in self.diagnostics:
                self.diagnostics.append(one)
                self.listen(one)

    def _ended(self, step: automation.events.StepEventMetadata) -> None:
        import pulumi_embedded

        took = time.monotonic() - self._begun.pop(step.urn, time.monotonic())
        changes = tuple(pulumi_embedded.PropertyChange(path, None, None) for path in step.detailed_diff or {})
        done = pulumi_embedded.Step(step.urn, step.type, _OPS[step.op], changes, took)
        self.done.append(done)
        self.listen(pulumi_embedded.StepFinished(done))

    def _last_error(self, urn: str) -> str:
        return next((one.message for one in reversed(self.diagnostics) if one.urn == urn), "")


def _unmarked(text: str) -> str:
    """Return a message without the CLI's marks of colour."""
    return _MARKUP.sub("", text)


def _said(error: Exception) -> str:
    """Return the last lines of what a command of the CLI wrote to standard error."""
    _, _, said = str(error).partition("stderr: ")
    lines = [line.strip() for line in (said or str(error)).splitlines() if line.strip()]
    return "\n".join(lines[-_LINES:]) or "the Pulumi CLI ended without a reason"


@contextmanager
def _interruptible() -> Iterator[Interruption]:
    """Let a Ctrl-C reach the CLI, which ends its running steps, and say what comes of it; give how often it came."""
    interruption = Interruption()
    try:
        before = signal.signal(signal.SIGINT, lambda *_: interruption.request())
    except ValueError:  # not the main thread: whoever runs that one decides
        yield interruption
        return
    try:
        yield interruption
    finally:
        signal.signal(signal.SIGINT, before)
