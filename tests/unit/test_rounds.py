"""Rounds go on, are woken and stopped, and what goes wrong in one stands in their metric."""

import threading

import pytest

from mlstrata.services.rounds import Rounds


class Watched(Rounds):
    """Rounds of which each waits for the test, once it has begun and before it ends."""

    def __init__(self) -> None:
        self.begun, self.ends, self.complaint = threading.Semaphore(0), threading.Semaphore(0), ""
        super().__init__("watched", "watched_timestamp_seconds", every=3600)

    def round(self) -> str:
        self.begun.release()
        self.ends.acquire()
        return self.complaint

    def next(self, complaint: str = "") -> None:
        """Have the round that is under way end so, and the next one begin."""
        self.complaint = complaint
        self.wake()
        self.ends.release()
        assert self.begun.acquire(timeout=60)


@pytest.fixture
def rounds():
    made = Watched()
    assert made.begun.acquire(timeout=60)
    yield made
    made.stop()
    made.ends.release()


def test_a_round_that_fails_leaves_the_time_as_it_is_and_is_said_once(rounds, capsys):
    began = rounds.done
    for _ in range(2):
        rounds.next("it is broken")
    assert rounds.exposition() == (f"# TYPE watched_timestamp_seconds gauge\nwatched_timestamp_seconds {began!r}\n")
    assert capsys.readouterr().err == "it is broken\n"
    rounds.next()
    assert rounds.done > began


def test_what_is_stopped_makes_no_round_more(rounds):
    rounds.stop()
    rounds.ends.release()
    (thread,) = [one for one in threading.enumerate() if one.name == "watched"]
    thread.join(60)
    assert not thread.is_alive()
    assert not rounds.begun.acquire(blocking=False)
