"""What was predicted, and what became known of it: asked of the store, told to the recorder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.services.recording.remote import RecorderError
from mlstrata.services.recording.store import Known

if TYPE_CHECKING:
    from mlstrata.operations.targets.records import Records

__all__ = [
    "ErasedPerson",
    "Known",
    "Told",
    "decide",
    "erase_person",
    "export",
    "prediction",
    "predictions",
    "tell",
    "waiting",
]

BATCH = 1000
"""Lines of feedback that are sent at once."""


@dataclass(frozen=True)
class Told:
    """What became of feedback.

    Attributes:
        lines: How many were sent.
        changed: How many rows they changed; what was told before changes nothing.
    """

    lines: int
    changed: int


@dataclass(frozen=True)
class ErasedPerson:
    """What was erased of a person.

    Attributes:
        system: The system.
        erased: Records that are gone.
        held: Records that the law has kept; nothing but a request by their id shows them.
        until: When the last of them goes, in seconds since 1970; None: none is held.
        record: Number of the entry in the audit log.
        warnings: What is wrong with that log, a sentence each.
    """

    system: str
    erased: int
    held: int
    until: float | None
    record: int
    warnings: tuple[str, ...] = ()


def prediction(deployment: Deployment, system: str, request: str) -> dict[str, Any]:
    """Return what was recorded under a request's id: which version predicted what, when, from what and why.

    Raises:
        UsageError: nothing is recorded of this system under it.
    """
    deployment.system(system)
    with _reading(deployment) as store:
        records = [one for one in store.find(request) if one.system == system]
        feedback = {one.instance: one.feedback for one in store.known(request) if one.feedback is not None}
    if not records:
        raise UsageError(f"{deployment.name}: nothing of {system} is recorded under '{request}'")
    known = [{name: value for name, value in asdict(one).items() if name != "groups"} for one in feedback.values()]
    return {"records": [one.model_dump(mode="json") for one in records], "feedback": known}


def predictions(deployment: Deployment, system: str, *, since: datetime, until: datetime, limit: int) -> list[Known]:
    """Return the newest recorded rows of a system in a time, oldest first, without protected attributes.

    Raises:
        UsageError: nothing is recorded yet.
    """
    deployment.system(system)
    with _reading(deployment) as store:
        return list(store.window(system, since=since.timestamp(), until=until.timestamp(), limit=limit))


def export(deployment: Deployment, system: str, path: Path, *, since: datetime, until: datetime) -> int:
    """Write the recorded rows of a system in a time as Parquet, without protected attributes; return how many.

    Raises:
        UsageError: nothing is recorded yet.
        Failed: the file cannot be written.
    """
    from mlstrata.services.recording.parquet import write

    deployment.system(system)
    with _reading(deployment) as store:
        try:
            return write(store.window(system, since=since.timestamp(), until=until.timestamp()), path)
        except OSError as error:
            raise Failed(f"{path}: cannot be written: {error.strerror}") from error


def tell(deployment: Deployment, system: str, lines: Iterator[dict[str, Any]]) -> Told:
    """Send feedback to the recorder, in batches; what was sent twice changes nothing.

    Raises:
        UsageError: the recorder does not answer, or a line cannot be used: those before its batch are kept.
    """
    deployment.system(system)
    sent = changed = 0
    batch: list[dict[str, Any]] = []

    def send() -> int:
        body = b"\n".join(json.dumps(one).encode() for one in batch)
        try:
            return int(_ask(deployment, "POST", "/feedback", body)["changed"])
        except UsageError as error:
            raise UsageError(f"{error}; of the lines, the first {sent} are kept") from None

    for line in lines:
        batch.append(line)
        if len(batch) == BATCH:
            changed, sent, batch = changed + send(), sent + len(batch), []
    if batch:
        changed, sent = changed + send(), sent + len(batch)
    return Told(sent, changed)


def waiting(deployment: Deployment, system: str, queue: str, limit: int) -> dict[str, Any]:
    """Return the rows of a system that wait for a person, the oldest first, and how many those are.

    Raises:
        UsageError: the recorder does not answer.
    """
    deployment.system(system)
    return _ask(deployment, "GET", f"/queue/{queue}/{system}?limit={limit}")


def decide(deployment: Deployment, system: str, queue: str, decision: dict[str, Any]) -> bool:
    """Tell what a person decided of a row; return whether that changed anything.

    Raises:
        UsageError: the recorder does not answer, or there is no such row.
    """
    deployment.system(system)
    body = json.dumps(decision).encode()
    return bool(_ask(deployment, "POST", f"/queue/{queue}/{system}", body)["changed"])


def erase_person(deployment: Deployment, system: str, subject: str, reason: str) -> ErasedPerson:
    """Erase what is recorded of a person, as far as the law lets it go; the audit log does not say who that is.

    Raises:
        UsageError: the recorder does not answer, or the reason names the person.
    """
    from mlstrata.audit import AuditLog, Entry, plain_text
    from mlstrata.operations.deciding import deciding_user
    from mlstrata.services.recording.subject import subject_hash

    target = deployment.target
    deployment.system(system)
    try:
        plain_text(reason)
        hashed = subject_hash(target.subject_key(), subject)
    except ValueError as error:
        raise UsageError(f"--reason or --subject: {error}") from None
    if subject.strip() in reason:
        raise UsageError("--reason: names the person, and the audit log is kept for good; leave that out")
    done = _ask(deployment, "POST", "/erasures", json.dumps({"system": system, "subject": hashed}).encode())
    now = datetime.now().astimezone()
    appended = AuditLog(target.audit_file).append(
        Entry(
            id=f"erase-person/{system}/{now.isoformat()}",
            when=now,
            who=deciding_user(),
            action="erase-person",
            system=system,
            version_from=None,
            version_to="none",
            reason=f"{reason} ({done['erased']} records erased, {done['held']} held)",
            outcome="done",
        )
    )
    return ErasedPerson(
        system, done["erased"], done["held"], done["until"], appended.record.number, tuple(appended.warnings)
    )


@contextmanager
def _reading(deployment: Deployment) -> Iterator[Records]:
    """Give what is recorded, to read from, until the block ends.

    Raises:
        UsageError: there is nothing, or it cannot be read.
    """
    with deployment.target.records() as found:
        try:
            yield found
        except RecorderError as error:
            raise UsageError(str(error)) from None


def _ask(deployment: Deployment, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
    """Return what the recorder answers.

    Raises:
        UsageError: it does not answer, or refuses; the message is its own.
    """
    with deployment.target.recorder() as recorder:
        try:
            return recorder.ask(method, path, body)
        except RecorderError as error:
            raise UsageError(str(error)) from None
