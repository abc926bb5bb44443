"""Who decided what, when and why, and whether the log of it is whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.audit import Record, Verification


@dataclass(frozen=True)
class Audited:
    """An environment's audit log.

    Attributes:
        file: Where it lies.
        verification: Whether it is whole.
        records: Its entries.
    """

    file: Path
    verification: Verification
    records: tuple[Record, ...]


def audit(deployment: Deployment) -> Audited:
    """Read and verify the audit log of an environment.

    Raises:
        UsageError: it cannot be read.
    """
    from mlstrata.audit import read, verify
    from mlstrata.operations.releases import AUDIT_FILE

    path = deployment.home / AUDIT_FILE
    try:
        return Audited(path, verify(path), tuple(read(path)))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error}); make it readable for you") from None
