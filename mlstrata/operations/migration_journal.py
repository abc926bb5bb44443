"""The journal of a move of the artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.operations.deployment import Deployment
    from mlstrata.services.storage.migration import Migration


def under_way(deployment: Deployment) -> Migration | None:
    """Return the move of the artifacts that is under way.

    Raises:
        UsageError: its journal is not what a migration writes.
    """
    from mlstrata.services.storage.migration import JOURNAL, read

    try:
        return read(deployment.home)
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(
            f"{deployment.home / JOURNAL}: not what `mlstrata migrate` writes ({reason}); restore it from a backup"
        ) from None
