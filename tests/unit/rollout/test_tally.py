"""What both versions did is counted from what is recorded: each row once, whenever more becomes known of it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata.environments.spec.monitor import FairnessMetric
from mlstrata.services.recording.record import Instance, Record
from mlstrata.services.recording.sqlite import open_store
from mlstrata.services.recording.store import Cursor, Feedback, Known, News
from mlstrata.services.rollout.evidence import Among, Rate, Reading
from mlstrata.services.rollout.tally import Tallies, Tally, Wanted
from tests.unit.recording.conftest import Embedded

WANTED = Wanted("loans", "1", "2", 100.0, Reading("yes", 500, FairnessMetric.EQUALIZED_ODDS), groups=True)
SEX = {among: Rate("sex", among) for among in Among}


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


class Spied:
    """Passes a store on, and counts the rows that are read of it."""

    def __init__(self, store):
        self.store, self.rows = store, 0

    def news(self, *asked, **more):
        found = self.store.news(*asked, **more)
        self.rows += len(found.new) + len(found.told)
        return found


def recorded(number, version="1", *, at=200.0, rows=1, label=1, status=200, **more):
    output = None if status >= 500 else {"probability": 0.7, "label": label}
    instances = (Instance(inputs={}, output=output),) * rows
    known = {"id": f"r{number}", "at": at, "system": "loans", "version": version, "status": status, "ms": 10.0}
    return Record(**known | {"instances": instances} | more)


def test_records_are_counted_by_version(store):
    store.add(
        [
            recorded(1),
            recorded(2),
            recorded(3, "2", status=500, problem="implausible"),
            recorded(4, "2", ms=900),
            recorded(5, "3"),
            recorded(6, "2", at=99.0),
            recorded(7, "2", system="others"),
        ]
    )
    told = [Feedback("r1", 1.0, truth="yes"), Feedback("r2", 1.0, truth="no")]
    store.tell([*told, Feedback("r4", 1.0, truth="yes", reward=0.25, groups={"sex": "f"})])
    found = Tally(WANTED).read(store)
    assert (found.champion.requests, found.champion.value.mean) == (2, 0.5)
    ours = found.candidate
    assert (ours.requests, ours.errors, ours.implausible, ours.slow) == (2, 1, 1, 1)
    assert ours.value.mean == 0.25
    assert dict(ours.groups[SEX[Among.POSITIVE]]["f"].__dict__) == {"count": 1, "total": 1.0, "squares": 1.0}


@pytest.mark.parametrize(
    ("metric", "positive", "negative"),
    [
        (FairnessMetric.DEMOGRAPHIC_PARITY, {Among.ALL}, {Among.ALL}),
        (FairnessMetric.EQUAL_OPPORTUNITY, {Among.POSITIVE}, set()),
        (FairnessMetric.EQUALIZED_ODDS, {Among.POSITIVE}, {Among.NEGATIVE}),
        (FairnessMetric.ERROR_DIFFERENCE, set(), set()),
    ],
)
def test_what_fairness_looks_at(store, metric, positive, negative):
    wanted = replace(WANTED, reading=replace(WANTED.reading, fairness=metric))
    store.add([recorded(1, "2"), recorded(2, "1")])
    store.tell([Feedback(f"r{at}", 1.0, truth=truth, groups={"sex": "f"}) for at, truth in ((1, "yes"), (2, "no"))])
    found = Tally(wanted).read(store)
    assert {one.among for one in found.candidate.groups} == positive
    assert {one.among for one in found.champion.groups} == negative


class Full:
    """A store of requests of many rows, which need no disk for this."""

    def news(self, *_asked, **_more):
        ours = [recorded(number, "2") for number in range(40)]
        theirs = [recorded(number, rows=300) for number in range(100, 300)]
        rows = tuple(Known(one, row, None) for one in (*ours, *theirs) for row in range(len(one.instances)))
        return News(Cursor(1, 0, ""), new=rows)


def test_large_requests_of_one_version_hide_none_of_the_other():
    """However many rows the champion has: a candidate with a small share has its sample one day."""
    found = Tally(WANTED).read(Full())
    assert (found.candidate.requests, found.champion.requests, found.champion.rows) == (40, 200, 60_000)


def test_a_row_is_read_once_and_again_when_more_is_known_of_it(store):
    store.add([recorded(number, "12"[number % 2]) for number in range(1200)])
    spied, tallies = Spied(store), Tallies()
    assert tallies.read(WANTED, spied).candidate.requests == 600
    assert spied.rows == 1200
    store.add([recorded(2000, "2")])
    store.tell([Feedback("r1", 1.0, truth="no"), Feedback("r1", 2.0, truth="yes"), Feedback("r1", 2.0, truth="yes")])
    found = tallies.read(WANTED, spied)
    assert (found.candidate.requests, found.candidate.value.count, found.candidate.value.mean) == (601, 1, 1.0)
    assert spied.rows == 1202
    assert tallies.read(WANTED, spied) == Tally(WANTED).read(store)
    assert spied.rows == 1202


def test_another_step_is_counted_from_its_beginning_and_what_failed_is_not_counted_twice(store):
    store.add([recorded(1), recorded(2, at=300.0)])
    tallies = Tallies()
    assert tallies.read(WANTED, store).champion.requests == 2

    class Broken:
        def news(self, *asked, **more):
            store.news(*asked, **more)
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - it has no message
        tallies.read(WANTED, Broken())
    assert tallies.read(WANTED, store).champion.requests == 2
    assert tallies.read(replace(WANTED, since=250.0), store).champion.requests == 1


def test_what_is_erased_counts_no_longer_and_a_number_that_is_given_again_is_read(store):
    store.add([recorded(number, subject="5f" * 16 * (number == 3)) for number in (1, 2, 3)])
    tallies = Tallies()
    assert tallies.read(WANTED, store).champion.requests == 3
    assert store.erase(system="loans", subject="5f" * 16, asked=250.0).erased == 1
    # SQLite gives the next record the number of the one that is gone.
    store.add([recorded(4, status=503)])
    found = tallies.read(WANTED, store).champion
    assert (found.requests, found.errors) == (3, 1)


NUMBERS = st.integers(0, 5)
TOLD = st.builds(
    Feedback,
    id=NUMBERS.map("r{}".format),
    at=st.integers(1, 3).map(float),
    truth=st.sampled_from([None, "yes", "no"]),
    reward=st.sampled_from([None, 0.0, 0.5]),
    groups=st.sampled_from([{}, {"sex": "f"}, {"sex": "m"}]),
)
ADDED = st.builds(recorded, NUMBERS, st.sampled_from("12"), label=st.integers(0, 1), at=st.sampled_from([99.0, 200.0]))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(ADDED, max_size=3)),
        st.tuples(st.just("tell"), st.lists(TOLD, max_size=3)),
        st.tuples(st.just("look"), st.none()),
        st.tuples(st.just("prune"), st.none()),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_who_begins_anew_comes_to_the_same(steps):
    """In whatever order records and truth come, and whenever somebody looks."""
    tallies = Tallies()
    with Embedded()() as store:
        for what, given_ in steps:
            if what == "add":
                store.add(given_)
            elif what == "tell":
                store.tell(given_)
            elif what == "prune":
                store.prune("loans", 150.0)
            else:
                assert tallies.read(WANTED, store) == Tally(WANTED).read(store)
        assert tallies.read(WANTED, store) == Tally(WANTED).read(store)
