"""The file of a system's releases."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata.services.serving.releases import FILE, HistoryEntry, Releases


def entry(kind, to, from_=None):
    return HistoryEntry(
        kind=kind, when=datetime.now(UTC), who="ana", why="so", from_=from_, to=to, metrics={"auc": 0.8}
    )


def test_no_file_is_nothing_released(tmp_path):
    assert Releases.read(tmp_path) == Releases()


def test_it_reads_what_it_writes_and_calls_from_from(tmp_path):
    releases = Releases(champion="2", loaded=("1", "2"), history=(entry("release", "2", "1"),))
    (tmp_path / FILE).write_text(releases.to_json())
    assert Releases.read(tmp_path) == releases
    assert json.loads(releases.to_json())["history"][0]["from"] == "1"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"champion": 2}', '{"champion": "../1"}', '{"champion": "0"}', '{"x": 1}']
)
def test_another_file_is_one_sentence_with_its_place_and_what_to_do(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(
        ValueError, match=r"^.*/releases\.json: not what a release writes \(.+\); restore it from a backup$"
    ):
        Releases.read(tmp_path)


@pytest.mark.parametrize(
    ("decisions", "expected", "why"),
    [
        ("1", None, "the first has nothing before it"),
        ("1 2", "1", "the one before"),
        ("1 2 <1", None, "going back undoes: nothing is before the first"),
        ("1 2 3 <2", "1", "and further back is further back, not forth again"),
        ("1 2 <1 3", "1", "a version gone back from is not gone back to"),
        ("1 2 3 <1", None, "over two at once"),
        ("1 2 1", "2", "released anew it counts anew"),
    ],
)
def test_the_version_to_go_back_to(decisions, expected, why):
    history = tuple(entry("rollback" if one[0] == "<" else "release", one.strip("<")) for one in decisions.split())
    assert Releases(champion=history[-1].to, history=history).before_champion() == expected, why


@given(st.lists(st.sampled_from(["1", "2", "3"]), min_size=1, max_size=12))
def test_going_back_again_and_again_ends(versions):
    history = tuple(entry("release", version) for version in versions)
    releases = Releases(champion=versions[-1], history=history)
    for _ in range(len(versions) + 1):
        target = releases.before_champion()
        if target is None:
            return
        assert target != releases.champion
        releases = Releases(champion=target, history=(*releases.history, entry("rollback", target)))
    raise AssertionError("going back goes round in a circle")
