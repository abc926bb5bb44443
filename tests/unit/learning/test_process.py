"""The rounds of the learning process: how often, what is read in each, and that one which fails is noticed."""

import threading
from types import SimpleNamespace

import pytest

from mlstrata.audit import read
from mlstrata.operations.learning.process import Learning
from mlstrata.services.retraining.journal import Journal
from mlstrata.services.retraining.settings import LearningSettings
from mlstrata.services.retraining.trigger import Trigger


class Acting:
    """The actions of an environment in which nothing is to be done; counts what is asked."""

    def __init__(self, home) -> None:
        here = SimpleNamespace(audit_file=home / "audit.jsonl")
        self.deployment = SimpleNamespace(target=SimpleNamespace(here=lambda _: here))
        self.is_up, self.is_rolling, self.fails, self.asked = True, False, "", 0
        self.looked = threading.Semaphore(0)

    def envelopes(self):
        if self.fails == "all":
            raise ValueError("the file is being edited")
        return {"credit": None}

    envelope = {"credit": None}.get

    def advance(self, _system, _now):
        self.looked.release()
        if self.fails == "credit":
            raise OSError("no registry")

    def champion(self, _system):
        self.asked += 1
        return "3"

    def rolling(self, _systems):
        return self.is_rolling


@pytest.fixture
def acting(tmp_path):
    return Acting(tmp_path)


@pytest.fixture
def rounds(acting, tmp_path):
    journal = Journal(tmp_path / "journal.db")
    settings = LearningSettings(
        port=0, token_file=tmp_path / "t", environment="local", workspace=tmp_path, journal=tmp_path / "journal.db",
        seconds=3600, busy_seconds=1800,
    )  # fmt: skip
    made = Learning(settings, journal, acting)
    assert acting.looked.acquire(timeout=60)
    yield made
    made.stop()
    journal.close()


def test_a_round_is_begun_at_once_where_it_is_woken(rounds, acting):
    rounds.wake()
    assert acting.looked.acquire(timeout=60)


def test_rounds_are_frequent_while_something_is_under_way(rounds, acting):
    assert (rounds.round(), rounds.pause) == ("", 3600)
    acting.is_rolling = True
    assert (rounds.round(), rounds.pause) == ("", 1800)


def test_what_goes_wrong_with_all_or_with_one_is_said(rounds, acting):
    acting.fails = "all"
    assert rounds.round() == "a round of the learning process ended early: ValueError: the file is being edited"
    acting.fails = "credit"
    assert rounds.round() == "credit: OSError: no registry"
    acting.fails = ""
    assert rounds.round() == "credit: OSError: no registry", "it is left alone for a while"


def test_who_answers_is_read_where_something_is_to_be_written_alone(rounds, acting, tmp_path):
    rounds.round()
    assert acting.asked == 0
    journal = Journal(tmp_path / "journal.db")
    drift = Trigger("a", "credit", "input_drift", "InputDrift", "pirat drifted")
    journal.accept([drift], 1e9)
    journal.begin("credit", [drift], "InputDrift", 1e9)
    journal.close()
    acting.fails = "credit"  # the training goes no further here
    rounds.round()
    assert acting.asked == 1
    assert [one.entry["version_from"] for one in read(tmp_path / "audit.jsonl")] == ["3"]
