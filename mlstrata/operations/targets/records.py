"""What is recorded of an environment, for commands that read it: the store of this machine, or a cluster's recorder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Protocol

from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.operations.deployment import Deployment
    from mlstrata.services.recording.record import Record
    from mlstrata.services.recording.remote import RemoteRecords
    from mlstrata.services.recording.store import Known


class Records(Protocol):
    """Reads what is recorded, without protected attributes; as `services.recording.store.Store` says."""

    def find(self, request: str) -> list[Record]:
        """Return what was recorded under a request's id."""

    def known(self, request: str) -> list[Known]:
        """Return the rows that were recorded under a request's id, with their feedback."""

    def window(self, system: str, *, since: float, until: float, limit: int | None = None) -> Iterator[Known]:
        """Yield the rows of a system recorded in [since, until), oldest first."""


@contextmanager
def local_records(deployment: Deployment) -> Iterator[Records]:
    """Give the store of this machine, to read from.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    from mlstrata.services.recording.sqlite import open_store
    from mlstrata.services.recording.store import StoreUnreadableError

    try:
        store = open_store(deployment.home, read_only=True)
    except FileNotFoundError:
        raise no_recorder(deployment) from None
    except StoreUnreadableError as error:
        raise UsageError(str(error)) from None
    with closing(store):
        yield store


@contextmanager
def local_recorder(deployment: Deployment) -> Iterator[RemoteRecords]:
    """Give what asks the recorder of this machine.

    Raises:
        UsageError: there is none.
    """
    from mlstrata.services.recording.names import TOKEN_FILE
    from mlstrata.services.recording.remote import RemoteRecords

    address = deployment.target.urls.get("recorder")
    if not address:
        raise no_recorder(deployment)
    yield RemoteRecords(address, secret(deployment, TOKEN_FILE))


def secret(deployment: Deployment, place: str) -> str:
    """Return what a file of the recorder's holds.

    Raises:
        UsageError: there is none.
    """
    try:
        return (deployment.home / place).read_text(encoding="utf-8").strip()
    except OSError:
        raise no_recorder(deployment) from None


def no_recorder(deployment: Deployment) -> UsageError:
    """Return what is said where nothing is recorded."""
    return UsageError(
        f"{deployment.file}: {deployment.name} records nothing yet; its capability 'recording' comes with stage scale, "
        f"or by `capabilities: {{on: [recording]}}`: then `mlstrata up {deployment.name}`"
    )
