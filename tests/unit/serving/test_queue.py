"""The line before the predictions: in turn while it is a burst, the newest first while it stands."""

import asyncio
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata.services.serving.queue import PATIENCE_S, PREDICTIONS, OverloadedError, Queue


class Clock:
    """A time that a test makes pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Asked:
    """Requests that are asked of a queue; each is computed until its test says that it is done."""

    def __init__(self, workers: int, most: int) -> None:
        self.clock = Clock()
        self.queue = Queue(workers, most, self.clock)
        self.computed: list[str] = []
        self.waited: dict[str, float] = {}
        self.refused: dict[str, str] = {}
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, name: str, until: float = float("inf")) -> None:
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._one(name, until))
        await settled()

    async def _one(self, name: str, until: float) -> None:
        asked = self.clock.now
        try:
            async with self.queue.turn(until):
                self.computed.append(name)
                self.waited[name] = self.clock.now - asked
                await self._ends[name].wait()
        except OverloadedError as error:
            self.refused[name] = error.reason

    def running(self) -> list[str]:
        return [name for name in self.computed if not self._tasks[name].done()]

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await settled()

    async def leave(self, name: str) -> None:
        self._tasks[name].cancel()
        await settled()

    async def end_all(self) -> None:
        for end in self._ends.values():
            end.set()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


async def settled() -> None:
    """Let everything happen that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(workers: int, most: int, story: Callable[[Asked], object]) -> Asked:
    """Tell a story of requests; all of them end with it."""

    async def told() -> Asked:
        asked = Asked(workers, most)
        await story(asked)
        await asked.end_all()
        return asked

    return asyncio.run(told())


def test_a_burst_is_computed_in_turn_whatever_it_takes():
    async def story(asked):
        for number in range(6):
            await asked.ask(str(number))
        for number in range(6):
            asked.clock.now += PATIENCE_S / 10
            await asked.end(str(number))

    asked = run(2, 10, story)
    assert asked.computed == ["0", "1", "2", "3", "4", "5"]
    assert asked.refused == {}


def test_the_next_after_a_full_line_is_refused_at_once_and_there_is_room_again():
    async def story(asked):
        for name in ("computed", "waits", "beyond"):
            await asked.ask(name)
        assert asked.refused == {"beyond": "full"}
        await asked.end("computed")
        await asked.ask("again")
        assert "again" not in asked.refused
        await asked.end("waits")

    assert run(1, 1, story).computed == ["computed", "waits", "again"]


def test_what_waited_past_its_deadline_is_never_computed():
    async def story(asked):
        await asked.ask("computed")
        await asked.ask("short", until=asked.clock.now + 0.5)
        await asked.ask("long", until=asked.clock.now + 5)
        asked.clock.now += 0.6
        await asked.end("computed")
        await asked.end("long")

    asked = run(1, 10, story)
    assert asked.computed == ["computed", "long"]
    assert asked.refused == {"short": "late"}


async def learn(asked: Asked, seconds: float) -> None:
    """Have it find out what a prediction takes."""
    await asked.ask("learnt")
    asked.clock.now += seconds
    await asked.end("learnt")


@pytest.mark.parametrize("seconds", [0.1, 10])
def test_in_a_line_that_stands_nobody_waits_for_long(seconds):
    """Whatever a prediction takes: one that takes ten seconds makes callers wait, and is no overload by that."""
    patience = max(PATIENCE_S, PREDICTIONS * seconds)

    async def story(asked):
        await learn(asked, seconds)
        await asked.ask("computed")
        for number in range(8):
            await asked.ask(f"old {number}")
        asked.clock.now += patience * 0.9
        await asked.ask("middle")
        assert asked.refused == {}
        asked.clock.now += patience * 0.2
        await asked.ask("new")
        assert asked.refused == {f"old {number}": "waited" for number in range(8)}

    run(1, 30, story)


@pytest.mark.parametrize("times", [2, 4, 10])
@pytest.mark.parametrize("seconds", [0.05, 2])
def test_above_its_capacity_it_computes_all_that_it_can_and_what_it_computes_is_fresh(times, seconds):
    async def story(asked):
        await learn(asked, seconds)
        count = 0
        for _ in range(200):
            for _ in range(times):
                asked.clock.now += seconds / times
                count += 1
                await asked.ask(str(count))
            if asked.running():
                await asked.end(asked.running()[0])
        late = [asked.waited[name] for name in asked.computed[100:]]
        assert len(asked.computed) >= 200, "no turn is left unused"
        assert statistics.median(late) <= seconds * 1.1
        assert max(late) <= max(PATIENCE_S, PREDICTIONS * seconds) + seconds
        # The load ends: who comes now is soon the next.
        asked.clock.now += seconds
        await asked.ask("after")
        ends = 0
        while "after" not in asked.computed:
            asked.clock.now += seconds
            ends += 1
            await asked.end(asked.running()[0])
        assert ends <= 2

    run(1, 64, story)


@pytest.mark.parametrize("callers", [2, 3, 5])
def test_callers_who_ask_again_with_each_answer_are_all_answered_in_turn(callers):
    """The line is never empty, and nobody waits long: none is passed over until it is refused."""

    async def story(asked):
        await learn(asked, 0.05)
        for number in range(300):
            await asked.ask(str(number))
            if number >= callers:
                asked.clock.now += 0.05
                await asked.end(str(number - callers))
        assert asked.refused == {}
        assert asked.computed[1:250] == [str(number) for number in range(249)]

    run(1, 10, story)


def test_a_line_that_got_short_is_taken_in_turn_again():
    async def story(asked):
        await learn(asked, 0.1)
        await asked.ask("computed")
        for number in range(8):
            await asked.ask(f"old {number}")
        asked.clock.now += PATIENCE_S * 1.5
        await asked.ask("new")
        assert asked.refused
        for end in ("computed", *(f"old {number}" for number in range(8)), "new"):
            await asked.end(end)
        for name in ("first", "second", "third"):
            await asked.ask(name)
        for name in ("first", "second", "third"):
            await asked.end(name)
        assert asked.computed[-3:] == ["first", "second", "third"]

    run(1, 30, story)


@pytest.mark.parametrize("left", ["waiting", "computed"])
def test_who_leaves_takes_no_turn_of_another(left):
    async def story(asked):
        for name in ("computed", "waiting", "next"):
            await asked.ask(name)
        await asked.leave(left)
        if left == "waiting":
            await asked.end("computed")
        assert asked.computed[1] == ("next" if left == "waiting" else "waiting")

    run(1, 10, story)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.floats(0.1, 5)),
        st.tuples(st.sampled_from(["end", "leave"]), st.integers(0, 30)),
        st.tuples(st.just("pass"), st.floats(0, 3)),
    ),
    max_size=40,
)


@given(workers=st.integers(1, 3), most=st.integers(1, 4), steps=STEPS)
def test_whatever_happens_no_turn_is_lost_and_none_is_given_twice(workers, most, steps):
    async def story(asked):
        names = []
        for kind, value in steps:
            if kind == "ask":
                names.append(str(len(names)))
                await asked.ask(names[-1], asked.clock.now + value)
            elif kind == "pass":
                asked.clock.now += value
            elif int(value) < len(names):
                await (asked.end if kind == "end" else asked.leave)(names[int(value)])
            assert len(asked.running()) <= workers
        for name in names:
            await asked.end(name)
        await asked.end_all()
        for number in range(workers):
            await asked.ask(f"after {number}")
        assert asked.computed[-workers:] == [f"after {number}" for number in range(workers)]
        assert len(asked.computed) == len(set(asked.computed))

    run(workers, most, story)
