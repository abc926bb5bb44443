"""The whole loop on real parts: drifted traffic raises an alert, which trains a version, which a canary releases."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlstrata.audit import read
from mlstrata.services.recording.sqlite import open_store
from mlstrata.services.serving.releases import Releases
from tests.support.command import Platform

pytestmark = pytest.mark.local

SYSTEM = "mortgage-approval"
PHASE = "1500"
"""Seconds that a phase may take on a machine that does other things, too."""


def declared(text: str) -> str:
    """Return the shipped environment with bounds that a test can wait for."""
    for shipped, here in (
        ("step_time: 5s", "step_time: 1s"),
        ("cooldown: 10m", "cooldown: 1s"),
        ("at_most: 0.15", "at_most: 0.3"),
    ):
        assert shipped in text, shipped
        text = text.replace(shipped, here, 1)
    return text


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    made = Platform(tmp_path_factory.mktemp("loop"))
    text = declared(made.declare("mature"))
    made.workspace.environment_file("local").write_text(text)
    try:
        up = made.run("up", "local", "--yes", "--train", seconds=1500)
        assert up.code == 0, up.text
        yield made
    finally:
        made.end()


def loop(platform: Platform, *options: str) -> list[dict[str, Any]]:
    command = ("loop", "local", "--json", "--rate", "10", "--patience", PHASE, *options)
    done = platform.run(*command, seconds=5 * float(PHASE))
    events = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0, (events, done.err)
    return events


def released(home: Path) -> Releases:
    return Releases.read(home / "data/serving" / SYSTEM)


def test_from_drift_to_a_released_version_without_anybody(platform: Platform) -> None:
    events = loop(platform)
    kinds = [one["kind"] for one in events]
    for kind in ("drift", "alert", "started", "composed", "trained", "traffic_split", "champion", "summary"):
        assert kind in kinds, kinds
    assert kinds.index("alert") < kinds.index("traffic_split") < kinds.index("champion")
    summary = events[-1]
    found = released(platform.home)
    assert found.champion == summary["after"] != summary["before"] == "1"
    # The recorder has what the consumer was answered, by both versions, with its truth.
    store = open_store(platform.home, read_only=True)
    rows = list(store.window(SYSTEM, since=0, until=2e9))
    store.close()
    assert {row.record.version for row in rows} >= {"1", summary["after"]}
    assert sum(1 for row in rows if row.feedback and row.feedback.truth) >= 150
    actions = [one.entry["action"] for one in read(platform.home / "data/audit/audit.jsonl")]
    assert "learning-started" in actions
    assert "rollout-begin" in actions


def test_a_version_that_turns_out_worse_is_taken_back(platform: Platform) -> None:
    before = released(platform.home).champion
    events = loop(platform, "--bad", "--shift", "0.5")
    assert "taken_back" in [one["kind"] for one in events] or "rolled_back" in [one["kind"] for one in events]
    assert released(platform.home).champion == before == events[-1]["after"]
