"""What can go wrong: one class a cause, one message a person can act on (what, where, how to mend it)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi_embedded.types import Result, StepFailed

INSTALL_PULUMI = "curl -fsSL https://get.pulumi.com | sh"


class EngineError(Exception):
    """Base of every error the engine raises on purpose; ``result`` holds what was done before it, if anything."""

    result: Result | None = None


class WrongPassphrase(EngineError):
    """The passphrase is missing or does not open the secrets of this stack."""


class StackLocked(EngineError):
    """Another run holds the stack.

    Attributes:
        pid: process id of the owner (0 when unknown).
        host: machine of the owner.
        since: ISO 8601 time of the lock, or "".
    """

    def __init__(self, stack: str, pid: int, host: str, since: str, path: Path | None = None) -> None:
        self.pid, self.host, self.since = pid, host, since
        owner = f"process {pid} on {host}" if pid else "another process"
        when = f" since {since}" if since else ""
        fix = "wait until it ends"
        if path is not None:
            fix += f", or, if that run is certainly dead, remove {path}"
        super().__init__(f"stack {stack} is locked by {owner}{when}: {fix}")


class CorruptCheckpoint(EngineError):
    """The state file cannot be read, or breaks the rules that hold a snapshot together."""


class Unsupported(EngineError):
    """A feature this engine does not implement, by name."""

    def __init__(self, feature: str, detail: str = "") -> None:
        self.feature = feature
        self.install = INSTALL_PULUMI
        extra = f" ({detail})" if detail else ""
        super().__init__(f"{feature} needs the Pulumi CLI{extra}: install it with `{INSTALL_PULUMI}`")


class ProgramFailed(EngineError):
    """The program raised; ``error`` is its exception and ``location`` is "file:line" in the program, or ""."""

    def __init__(self, error: BaseException, location: str = "") -> None:
        self.error, self.location = error, location
        where = f"{location}: " if location else ""
        super().__init__(f"{where}{type(error).__name__}: {' '.join(str(error).split())}")


class StepsFailed(EngineError):
    """One or more steps failed; everything that succeeded is recorded and the next run goes on from there."""

    def __init__(self, failures: tuple[StepFailed, ...]) -> None:
        self.failures = failures
        lines = [f"{failure.name}: {failure.op} failed: {failure.message}" for failure in failures]
        super().__init__("\n".join(lines))


class Protected(EngineError):
    """The change would delete or replace protected resources; nothing was changed."""

    def __init__(self, urns: tuple[str, ...], action: str) -> None:
        self.urns = urns
        names = ", ".join(urn.rsplit("::", 1)[-1] for urn in urns)
        super().__init__(f"{names}: protected, refusing to {action}; set protect=False, run up, then try again")


class StateWriteFailed(EngineError):
    """The state file could not be written; no further step was started."""

    def __init__(
        self, path: Path, error: OSError, advice: str = "check that the folder exists and is writable"
    ) -> None:
        self.path, self.error = path, error
        super().__init__(f"{path}: cannot write the state ({error.strerror or error}): {advice}, then run again")


class DiskFull(StateWriteFailed):
    """No space left for the state file."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(path, error, "free some space")


class Cancelled(EngineError):
    """The run was interrupted; running steps were finished and recorded."""

    def __init__(self, *, hard: bool = False) -> None:
        self.hard = hard
        how = (
            "stopped at once; steps that were running are recorded as pending"
            if hard
            else "running steps were finished"
        )
        super().__init__(f"interrupted: {how}; run again to continue")
