"""Every store of predictions does what a plain model of one does, in whatever order and however often things come."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlstrata.services.recording import following
from mlstrata.services.recording.store import Feedback, Queue
from tests.support.recording import SHARE, SUBJECTS, SYSTEMS, Model, feedback, record, records

BATCHES = st.lists(records(), max_size=6)
TOLD = st.lists(feedback(), max_size=6)
TIMES = st.integers(100, 105).map(float)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), BATCHES),
        st.tuples(st.just("tell"), TOLD),
        st.tuples(st.just("prune"), st.sampled_from(SYSTEMS), TIMES),
        st.tuples(
            st.just("erase"), st.sampled_from(SYSTEMS), st.sampled_from(SUBJECTS[1:]), st.sampled_from([0.0, 2.0])
        ),
        st.tuples(st.just("erase system"), st.sampled_from(SYSTEMS), st.sampled_from([0.0, 2.0])),
        st.tuples(st.just("finish"), TIMES),
    ),
    max_size=8,
)
WINDOWS = list(product(SYSTEMS, [None, "2"], [False, True], [False, True], [None, 1, 4]))


def tried(stores, check, **drawn):
    """Check with as many examples as such a store has time for."""

    @settings(max_examples=stores.examples)
    @given(drawn=st.fixed_dictionaries(drawn))
    def once(drawn):
        check(stores, **drawn)

    once()


def same(store, model):
    for system, version, shadow, groups, limit in WINDOWS:
        asked = {"version": version, "shadow": shadow, "groups": groups, "limit": limit}
        for since, until in ((0.0, 1e9), (101.0, 103.0)):
            found = list(store.window(system, since=since, until=until, **asked))
            assert found == model.window(system, since=since, until=until, **asked)
    for queue, system in product(Queue, SYSTEMS):
        waiting = store.waiting(queue, system, 100)
        assert [(one.id, one.instance) for one in waiting] == model.waiting(queue, system)
        assert store.lengths().get((queue, system), 0) == len(waiting)
        assert {one.sampled for one in waiting} <= {1.0 if queue is Queue.REVIEW else SHARE}
    ids = {f"r-{number}" for number in range(10)}
    assert store.missing(ids) == model.missing(ids)
    for request in ids:
        known = [one for one, _ in model.records.values() if one.id == request]
        assert store.find(request) == sorted(known, key=lambda one: (one.shadow, one.at, one.version))
    counted = store.counts()
    assert sum(one.recorded - one.removed for one in counted) == len(model.records)
    assert sum(one.removed for one in counted) == model.removed


def test_a_store_does_what_the_model_does(stores):
    tried(stores, does_what_the_model_does, steps=STEPS)


def does_what_the_model_does(stores, steps):
    with stores() as store:
        model = Model()
        for what, *with_ in steps:
            if what == "add":
                assert store.add(with_[0]) == model.add(with_[0])
            elif what == "tell":
                store.tell(with_[0])
                model.tell(with_[0])
            elif what == "prune":
                assert store.prune(*with_) == model.prune(*with_)
            elif what in ("erase", "erase system"):
                system, *person, hold = with_
                if person:
                    done = store.erase(system=system, subject=person[0], asked=102.0, hold=hold)
                else:
                    done = store.erase_system(system=system, asked=102.0, hold=hold)
                assert done.erased == model.erase(system, person[0] if person else "", 102.0, hold)
                held = [
                    one.at
                    for one, held in model.records.values()
                    if held and one.system == system and (not person or one.subject == person[0])
                ]
                assert (done.held, done.until) == (len(held), max(held) + hold if held else None)
            else:
                assert store.finish_erasures(with_[0], forget=1e6) == model.finish(with_[0])
        same(store, model)


class Follower:
    """Knows a system's rows from what a store says is new."""

    def __init__(self, store, system):
        self.store, self.system, self.cursor, self.rows = store, system, None, {}

    def look(self):
        more = True
        while more:
            news = self.store.news(self.system, self.cursor, since=101.0, versions=("1", "2"), groups=True)
            self.cursor, more = news.cursor, news.more
            if news.anew:
                self.rows.clear()
            new, told = ({(*one.record.key, one.instance): one for one in rows} for rows in (news.new, news.told))
            assert not new.keys() & self.rows.keys(), "no row is new twice"
            self.rows |= new
            assert told.keys() <= self.rows.keys()
            self.rows |= told
        window = self.store.window(self.system, since=101.0, until=1e9, shadow=True, groups=True)
        assert self.rows == {(*one.record.key, one.instance): one for one in window}


def done(store, what, *with_):
    """Do a step."""
    if what == "erase":
        store.erase(system=with_[0], subject=with_[1], asked=102.0, hold=with_[2])
    elif what == "erase system":
        store.erase_system(system=with_[0], asked=102.0, hold=with_[1])
    elif what == "finish":
        store.finish_erasures(with_[0], forget=1e6)
    else:
        getattr(store, what)(*with_)


def test_who_follows_a_store_knows_what_the_window_yields(stores):
    """Whenever it looks, and however little it reads at once."""
    tried(stores, followers_know, steps=STEPS, looks=st.integers(0, 255), chunk=st.integers(1, 3))


def followers_know(stores, steps, looks, chunk):
    with stores() as store, pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "CHUNK", chunk)
        followers = [Follower(store, system) for system in SYSTEMS]
        for at, step in enumerate(steps):
            done(store, *step)
            for one in followers if looks >> at & 1 else ():
                one.look()
        for one in followers:
            one.look()


def test_any_order_and_any_repetition_gives_the_same(stores):
    drawn = {"batches": st.lists(BATCHES, max_size=3), "told": st.lists(TOLD, max_size=3), "data": st.data()}
    tried(stores, order_does_not_matter, **drawn)


def order_does_not_matter(stores, batches, told, data):
    calls = [("add", one) for one in batches] + [("tell", one) for one in told]
    again = data.draw(st.permutations(calls + data.draw(st.lists(st.sampled_from(calls), max_size=4)) if calls else []))
    with stores() as once, stores() as shuffled:
        for what, batch in calls:
            getattr(once, what)(batch)
        for what, batch in again:
            getattr(shuffled, what)(batch)
        for system, shadow in product(SYSTEMS, (False, True)):
            asked = {"since": 0.0, "until": 1e9, "shadow": shadow, "groups": True}
            assert list(once.window(system, **asked)) == list(shuffled.window(system, **asked))
            for queue in Queue:
                assert once.waiting(queue, system, 100) == shuffled.waiting(queue, system, 100)
        assert once.counts() == shuffled.counts()
        assert once.joined() == shuffled.joined()


def test_telling_again_changes_nothing(stores):
    tried(stores, again_changes_nothing, told=TOLD, batch=BATCHES)


def again_changes_nothing(stores, told, batch):
    with stores() as store:
        store.tell(told)
        store.add(batch)
        assert store.tell(told) == 0
        assert store.add(batch) == 0


@pytest.mark.parametrize("late", [False, True])
def test_a_stray_goes_by_its_age_alone(stores, late):
    told, batch = Feedback("r-1", 100.0, truth="yes", groups={"sex": "f"}), record("r-1", system="fraud")
    with stores() as store:
        store.tell([told])
        assert store.joined() == {"": 1}
        store.add([batch] if late else [])
        assert store.prune_strays(100.0) == 0
        assert store.prune_strays(1e9) == (0 if late else 1)
        store.add([batch])
        (known,) = store.window("fraud", since=0.0, until=1e9, groups=True)
        assert known.feedback == (told if late else None)
        assert store.joined() == ({"fraud": 1} if late else {})


def test_what_the_law_has_kept_is_used_for_nothing_else(stores):
    with stores() as store:
        store.add([record(f"r-{age}", at=1000.0 - age, subject="anna", system="fraud") for age in (1, 5, 20)])
        assert store.waiting(Queue.LABELLING, "fraud", 10)
        done = store.erase(system="fraud", subject="anna", asked=1000.0, hold=10.0)
        assert (done.erased, done.held, done.until) == (1, 2, 1009.0)
        # What was predicted before and arrives later is held, and what was predicted later is not.
        late = [record(f"r-{at}", at=at, subject="anna", system="fraud") for at in (999.0, 1000.0, 1001.0)]
        other = record("r-other", at=999.0, subject="anna", system="credit")
        assert store.add([*late, other]) == 4
        assert [one.record.id for one in store.window("fraud", since=0.0, until=1e9)] == ["r-1001.0"]
        assert [one.record.id for one in store.window("credit", since=0.0, until=1e9)] == ["r-other"]
        assert {one.id for one in store.waiting(Queue.LABELLING, "fraud", 10)} <= {"r-1001.0"}
        assert [one.id for one in store.find("r-1")] == ["r-1"], "by its id the law may ask for it"
        assert store.finish_erasures(1005.0, forget=1e6) == 1
        assert store.finish_erasures(1e6, forget=1e9) == 3
        assert [one.record.id for one in store.window("fraud", since=0.0, until=1e9)] == ["r-1001.0"]
        # Without a hold it does not come back, until nothing can arrive any more.
        store.erase(system="fraud", subject="anna", asked=2000.0)
        assert store.add([record("r-again", at=1500.0, subject="anna", system="fraud")]) == 0
        store.finish_erasures(3000.0, forget=500.0)
        assert store.add([record("r-again", at=1500.0, subject="anna", system="fraud")]) == 1


SAME = [
    (Feedback("r-1", 5.0, truth="a"), Feedback("r-1", 5.0, truth="b")),
    (Feedback("r-1", 5.0, reward=1.0), Feedback("r-1", 5.0, reward=2.0)),
    (Feedback("r-1", 5.0, groups={"sex": "f"}), Feedback("r-1", 5.0, groups={"sex": "m"})),
]


@pytest.mark.parametrize("pair", SAME, ids=["truth", "reward", "groups"])
def test_of_two_at_one_time_the_same_holds_in_either_order(stores, pair):
    found = []
    for told in (pair, pair[::-1]):
        with stores() as store:
            store.add([record("r-1")])
            for one in told:
                store.tell([one])
            found.append([one.feedback for one in store.window("credit", since=0.0, until=1e9, groups=True)])
    assert found == [[pair[1]], [pair[1]]]


def test_parts_of_what_became_known_are_kept_each(stores):
    with stores() as store:
        store.add([record("r-1")])
        store.tell([Feedback("r-1", 9.0, reward=2.0), Feedback("r-1", 5.0, truth="a", reviewer="anna", sampled=0.5)])
        store.tell([Feedback("r-1", 7.0, groups={"sex": "f"}), Feedback("r-1", 4.0, truth="b")])
        (row,) = store.window("credit", since=0.0, until=1e9, groups=True)
        whole = Feedback("r-1", 9.0, truth="a", reward=2.0, groups={"sex": "f"}, reviewer="anna", sampled=0.5)
        assert row.feedback == whole
        (row,) = store.window("credit", since=0.0, until=1e9)
        assert row.feedback.groups == {}


def test_rows_are_given_of_the_system_that_is_asked_and_of_the_answer_that_was_given(stores):
    with stores() as store:
        store.add([record("r-1", "3", system="fraud", at=1.0), record("r-1", "1", at=3.0, rows=2)])
        store.add([record("r-1", "2", at=2.0, rows=2, shadow=True), record("r-2", "1", at=4.0)])
        store.tell([Feedback("r-1", 5.0, instance=1, truth="yes", groups={"sex": "f"})])
        found = store.given("credit", [("r-2", 0), ("r-1", 1), ("r-1", 2), ("gone", 0)])
        assert {key: one.record.version for key, one in found.items()} == {("r-2", 0): "1", ("r-1", 1): "1"}
        assert found["r-1", 1].feedback == Feedback("r-1", 5.0, instance=1, truth="yes")
        assert store.given("fraud", [("r-1", 0)])["r-1", 0].record.system == "fraud"
        assert store.given("fraud", []) == {}
