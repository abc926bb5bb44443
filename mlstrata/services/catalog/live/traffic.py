"""Who answers a system's requests: its versions with their shares, the rollout that runs, and the kill switch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mlstrata.services.serving.releases import Releases
from mlstrata.services.serving.running import Running, Stopped

_ALL = 100


@dataclass(frozen=True)
class Share:
    """A version and what it gets of the requests.

    Attributes:
        version: The version.
        role: champion, candidate or shadow.
        percent: Of the requests that it answers; 0: nobody gets its answers.
    """

    version: str
    role: str
    percent: int


@dataclass(frozen=True)
class Traffic:
    """Who answers.

    Attributes:
        shares: Versions that get requests, or copies of them, the champion first.
        rollout: The rollout that runs; None: none does.
        stopped: Why nobody answers; None: somebody does.
        held: Versions that were taken back and are kept.
    """

    shares: tuple[Share, ...] = ()
    rollout: Running | None = None
    stopped: Stopped | None = None
    held: tuple[str, ...] = ()

    @classmethod
    def of(cls, releases: Releases) -> Traffic:
        """Take it from what is released."""
        shares = tuple(_shares(releases))
        if releases.stopped is not None:
            shares = tuple(Share(one.version, one.role, 0) for one in shares)
        return cls(shares, releases.rollout, releases.stopped, releases.held)


def _shares(releases: Releases) -> Iterator[Share]:
    running = releases.rollout
    given = running.share if running else 0
    if releases.champion:
        yield Share(releases.champion, "champion", _ALL - given)
    if running and given:
        yield Share(running.candidate, "candidate", given)
    if releases.shadow:
        yield Share(releases.shadow, "shadow", 0)
    elif running and not given:
        yield Share(running.candidate, "candidate", 0)
    if releases.challenger and (running is None or running.candidate != releases.challenger):
        yield Share(releases.challenger, "challenger", 0)
