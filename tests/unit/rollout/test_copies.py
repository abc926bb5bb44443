"""Several processes of one system, as a release and as going back asks them."""

import threading
from pathlib import Path

import pytest

from mlstrata.operations.releases.errors import RolloutError
from mlstrata.operations.releases.local.copies import AnyCopies, Copies

FOLDER = Path("models/2")


class One:
    """A process that remembers; `ill` makes it refuse everything, `hangs` makes it never answer."""

    order: list[str]

    def __init__(self, name, order=None, *, ill=False, hangs=None):
        self.name, self.order, self.ill, self.hangs = name, order if order is not None else [], ill, hangs
        self.memory = {"1"}

    def _do(self, what):
        if self.hangs is not None:
            self.hangs.wait()
        self.order.append(f"{self.name} {what}")
        if self.ill:
            raise RolloutError(f"{self.name} does not answer")

    def load(self, version):
        self._do(f"load {version}")
        self.memory.add(version)

    def unload(self, version):
        self._do(f"unload {version}")
        self.memory.discard(version)

    def loaded(self):
        self._do("loaded")
        return sorted(self.memory)

    def smoke(self, version, folder):
        self._do(f"smoke {version} {folder.name}")


def test_a_release_asks_all_one_after_the_other():
    order: list[str] = []
    copies = Copies([One("a", order), One("b", order)])
    copies.load("2")
    copies.smoke("2", FOLDER)
    assert order == ["a load 2", "b load 2", "a smoke 2 2", "b smoke 2 2"]
    assert copies.loaded() == ["1", "2"]
    copies.unload("1")
    assert copies.loaded() == ["2"]


@pytest.mark.parametrize(
    "step", [lambda one: one.load("2"), lambda one: one.smoke("2", FOLDER), lambda one: one.loaded()]
)
def test_a_release_fails_with_any_of_them(step):
    with pytest.raises(RolloutError, match="b does not answer"):
        step(Copies([One("a"), One("b", ill=True)]))


def test_what_one_lacks_is_among_what_is_loaded():
    first, second = One("a"), One("b")
    second.memory = {"1", "10", "2"}
    assert Copies([first, second]).loaded() == ["1", "2", "10"]


def test_going_back_needs_one_and_leaves_the_ill_alone_from_then_on():
    ill, well = One("a", ill=True), One("b")
    copies = AnyCopies([ill, well])
    copies.load("2")
    copies.smoke("2", FOLDER)
    assert copies.loaded() == ["1", "2"]
    assert ill.order == ["a load 2"]
    with pytest.raises(RolloutError, match="a does not answer"):
        AnyCopies([One("a", ill=True), One("b", ill=True)]).load("2")


def test_going_back_does_not_wait_for_one_that_hangs():
    let_go = threading.Event()
    try:
        hanging = One("a", hangs=let_go)
        copies = AnyCopies([hanging, One("b")])
        copies.load("2")
        copies.smoke("2", FOLDER)
        assert hanging.order == [], "it still hangs"
    finally:
        let_go.set()
