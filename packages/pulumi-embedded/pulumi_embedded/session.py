"""What every operation on a stack opens: its checkpoint, secrets, settings, dispatcher and listener."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pulumi_embedded import settings as stack_settings
from pulumi_embedded.backend import Backend
from pulumi_embedded.dispatch import Dispatcher
from pulumi_embedded.errors import CorruptCheckpoint
from pulumi_embedded.integrity import problems
from pulumi_embedded.journal import Journal
from pulumi_embedded.model import Cancellation, Options, Program
from pulumi_embedded.passphrase import Passphrase
from pulumi_embedded.run import Emitter, Run
from pulumi_embedded.secrets import SecretBox, SecretsManager
from pulumi_embedded.state import STACK_TYPE, Operation, ResourceState, Snapshot, checkpoint_text
from pulumi_embedded.types import Result


@dataclass
class Session:
    """One stack, opened."""

    program: Program
    backend: Backend
    options: Options
    emit: Emitter
    cancel: Cancellation
    settings: stack_settings.Settings
    manager: SecretsManager
    box: SecretBox
    dispatcher: Dispatcher
    config: dict[str, str]
    raw: dict[str, Any] | None

    @property
    def name(self) -> str:
        """Full name of the stack, as the checkpoint has it."""
        return f"organization/{self.program.project}/{self.program.stack}"

    def snapshot(self) -> Snapshot:
        """Read the snapshot anew: each phase of a run changes its own copy.

        Raises:
            CorruptCheckpoint: it breaks a rule.
            WrongPassphrase: it has secrets the passphrase does not open.
        """
        path = self.backend.path(self.program.project, self.program.stack)
        try:
            snapshot = Snapshot.load((self.raw or {}).get("latest"), self.box)
        except (KeyError, TypeError, AttributeError) as error:
            raise CorruptCheckpoint(f"{path}: a resource cannot be read ({type(error).__name__}: {error})") from None
        broken = problems(snapshot.resources, snapshot.operations)
        if broken:
            more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
            raise CorruptCheckpoint(f"{path}: {broken[0]}{more}; restore it from {path.name}.bak or a copy")
        return snapshot

    def run(self, journal: Journal, *, dry_run: bool, strict: bool = False, quiet: bool = False) -> Run:
        """Start the shared state of one phase."""
        return Run(
            project=self.program.project,
            stack=self.program.stack,
            journal=journal,
            dispatcher=self.dispatcher,
            emit=self.emit,
            cancel=self.cancel,
            parallel=self.options.parallel,
            dry_run=dry_run,
            strict=strict,
            quiet=quiet,
        )

    def writer(self, snapshot: Snapshot) -> Callable[[list[ResourceState], list[Operation]], None]:
        """Give the function that writes this stack's checkpoint."""
        project, stack = self.program.project, self.program.stack
        kept = False

        def write(resources: list[ResourceState], operations: list[Operation]) -> None:
            nonlocal kept
            if not kept:
                self.backend.keep_backup(project, stack)
                kept = True
            text = checkpoint_text(self.name, resources, operations, snapshot.metadata, self.box)
            self.backend.write(project, stack, text)

        return write

    def reload(self) -> None:
        """Read the checkpoint again, under the lock."""
        self.raw = self.backend.read(self.program.project, self.program.stack)

    def record(self, kind: str, started: float, result: Result | None, *, succeeded: bool) -> None:
        """Write the history entry of a run and the salt the CLI looks for."""
        if self.manager.state is not None:
            warning = stack_settings.save_salt(self.settings, self.manager.state)
            if warning:
                self.emit.say("warning", warning)
        entry = {
            "kind": kind,
            "startTime": int(started),
            "message": "",
            "environment": {},
            "config": {},
            "version": 0,
            "result": "succeeded" if succeeded else "failed",
            "endTime": int(time.time()),
            "resourceChanges": result.counts if result is not None else {},
        }
        self.backend.record(self.program.project, self.program.stack, entry)


def open_session(program: Program, backend: Backend, options: Options) -> Session:
    """Open a stack.

    Raises:
        CorruptCheckpoint: the state cannot be read.
        WrongPassphrase: the settings hold secrets that the passphrase does not open.
    """
    raw = backend.read(program.project, program.stack)
    settings = stack_settings.load(program)
    passphrase = options.passphrase or Passphrase.from_environment()
    salt = salt_of(raw) or settings.salt
    where = str(backend.path(program.project, program.stack) if salt_of(raw) else settings.file)
    manager = SecretsManager(passphrase, salt, where)
    manager.start()
    if settings.secure and settings.salt not in (None, salt):
        config = settings.plain(SecretsManager(passphrase, settings.salt, str(settings.file)))
    else:
        config = settings.plain(manager)
    return Session(
        program,
        backend,
        options,
        Emitter(options.on_event),
        options.cancel or Cancellation(),
        settings,
        manager,
        SecretBox(manager),
        Dispatcher(program.project, config),
        config,
        raw,
    )


def salt_of(raw: dict[str, Any] | None) -> str | None:
    """The salt of a checkpoint, if it has one."""
    latest = (raw or {}).get("latest") or {}
    salt = ((latest.get("secrets_providers") or {}).get("state") or {}).get("salt")
    return str(salt) if salt else None


def stack_outputs(raw: dict[str, Any] | None, box: SecretBox) -> dict[str, Any] | None:
    """Outputs of a stack from its checkpoint, secrets wrapped; None when there is no such stack."""
    if raw is None:
        return None
    for resource in (raw.get("latest") or {}).get("resources") or []:
        if resource.get("type") == STACK_TYPE and not resource.get("delete"):
            found: dict[str, Any] = box.load(resource.get("outputs") or {}, "outputs")
            return found
    return {}
