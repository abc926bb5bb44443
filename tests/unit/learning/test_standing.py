"""Where a version is, from what was released."""

from datetime import UTC, datetime, timedelta

import pytest

from mlstrata.operations.learning.standing import standing_of
from mlstrata.services.retraining.loop import Place
from mlstrata.services.serving.releases import HistoryEntry, Releases
from mlstrata.services.serving.running import Move, Running

WHEN = datetime(2026, 11, 30, 10, tzinfo=UTC)


def entry(kind: str, before: str | None, to: str, minutes: int, why: str = "") -> HistoryEntry:
    when = WHEN + timedelta(minutes=minutes)
    return HistoryEntry(kind=kind, when=when, who="ann", why=why, from_=before, to=to)


FIRST = entry("release", None, "1", 0)
RUNNING = Running(strategy="canary", candidate="2", step=1, share=50, begun=WHEN, since=WHEN, who="ann", why="drift")
ABORTED = Move(kind="rollout-abort", when=WHEN + timedelta(minutes=9), who="x", why="errors", from_="1", to="2")
CASES = {
    "nowhere": (Releases(champion="1", history=(FIRST,)), False, Place.NOWHERE, ""),
    "begun and gone": (Releases(champion="1", history=(FIRST,)), True, Place.ROLLED_BACK, "taken back"),
    "on its way": (Releases(champion="1", history=(FIRST,), rollout=RUNNING), True, Place.ROLLING, "step 2, 50 %"),
    "released": (
        Releases(champion="2", history=(FIRST, entry("release", "1", "2", 5, "better"))),
        True,
        Place.RELEASED,
        "answers: better",
    ),
    "rolled back after its release": (
        Releases(champion="1", history=(FIRST, entry("release", "1", "2", 5), entry("rollback", "2", "1", 6, "bad"))),
        False,
        Place.ROLLED_BACK,
        "taken back: bad",
    ),
    "aborted": (Releases(champion="1", history=(FIRST,), moved=ABORTED), False, Place.ROLLED_BACK, "back: errors"),
    "held": (Releases(champion="1", history=(FIRST,), held=("2",)), False, Place.ROLLED_BACK, "taken back"),
}


@pytest.mark.parametrize(("releases", "begun", "place", "says"), CASES.values(), ids=CASES)
def test_where_it_is(releases, begun, place, says):
    found = standing_of(releases, "2", begun=begun)
    assert found.place is place
    assert says in found.text
