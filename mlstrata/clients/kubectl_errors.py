"""What keeps a cluster from being asked."""

from __future__ import annotations

from mlstrata.clients.errors import RolloutError


class ClusterError(RolloutError):
    """The cluster could not be asked, or refused: nothing is wrong with the version.

    Attributes:
        lost: whether asking once more may help: it did not answer, or not in time.
    """

    def __init__(self, message: str, *, lost: bool = False) -> None:
        self.lost = lost
        super().__init__(message)


class Outdated(ClusterError):
    """Somebody else changed the object since it was read."""


class Missing(ClusterError):
    """There is no such object."""


class Forbidden(ClusterError):
    """Whoever asked has not the right."""
