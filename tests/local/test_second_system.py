"""The shipped file with both its systems: one pipeline makes two models, and neither system can touch the other's."""

import hashlib
import json
import os
import re
import signal
import sqlite3
import ssl
import tarfile
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from mlstrata.environments.days import today
from mlstrata.files import sha256_of
from mlstrata.services.serving.example import read_example
from tests.support.command import ROOT, Done, Platform, assert_one_message
from tests.support.patience import eventually

pytestmark = pytest.mark.local

FIRST, SECOND = "mortgage-approval", "consumer-credit"
EXPERIMENTS = "SELECT experiment_id, name FROM experiments"
CONSUMERS = {FIRST: "underwriter-desk", SECOND: "branch-office"}


class Both:
    """The platform of this module with a model released in each system, and how each came about."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.first = platform.run("up", "local", "--yes", "--train")
        assert self.first.code == 0, self.first.text
        self.tokens = {
            system: platform.run("token", "local", consumer).out.strip() for system, consumer in CONSUMERS.items()
        }
        self.before = {system: self.status(system, {"instances": [{}]}) for system in CONSUMERS}
        self.trained = self.run("train", "local", SECOND)
        self.released = self.run("release", "local", SECOND, "--reason", "its first version", "--yes")

    def run(self, *arguments: str) -> Done:
        done = self.platform.run(*arguments)
        assert done.code == 0, done.text
        return done

    def folder(self, system: str, *, of: str) -> Path:
        return self.platform.home / "data" / of / system

    def example(self, system: str) -> dict[str, object]:
        return {"instances": read_example(self.folder(system, of="serving") / "models/1")[:1]}

    def ask(self, system: str, body: object = None, *, holder: str = "") -> httpx.Response:
        """Ask a system as the consumer of another, or its own."""
        url = f"{self.platform.exports()['urls']['gateway']}/systems/{system}/v1/predict"
        headers = {"authorization": f"Bearer {self.tokens[holder or system]}"}
        trust = ssl.create_default_context(cafile=str(self.platform.home / "config/gateway/ca.pem"))
        content = self.example(system) if body is None else body
        return httpx.post(url, json=content, headers=headers, trust_env=False, verify=trust)

    def status(self, system: str, body: object = None, *, holder: str = "") -> int:
        return self.ask(system, body, holder=holder).status_code

    def registry(self, query: str) -> list[tuple[str, ...]]:
        with sqlite3.connect(self.platform.home / "data/mlflow/mlflow.db") as database:
            return database.execute(query).fetchall()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    platform = Platform(tmp_path_factory.mktemp("both"))
    text = platform.declare(systems=2)
    assert text.count("  - name: ") == (ROOT / "environments/local.yaml").read_text().count("  - name: ")
    try:
        yield Both(platform)
    finally:
        platform.end()


def test_up_makes_the_first_and_names_what_makes_the_other(both: Both) -> None:
    assert f"{FIRST} on hmda" in both.first.out
    assert f"{SECOND} has no version yet: `mlstrata train local {SECOND}`" in both.first.out
    assert "tune         " in both.trained.out
    assert "registered version 1" in both.trained.out
    assert f"`mlstrata release local {SECOND}` decides on it" in both.trained.out
    # An empty row breaks the schema of a model; of a system that has none it is not looked at.
    assert both.before == {FIRST: 422, SECOND: 503}


def test_each_answers_its_own_consumer_with_its_own_model(both: Both) -> None:
    for system in CONSUMERS:
        answer = both.ask(system)
        assert answer.status_code == 200, answer.text
        assert answer.json()["model"] == {"system": system, "version": "1"}
    # One's row is no row of the other.
    assert both.status(FIRST, both.example(SECOND)) == both.status(SECOND, both.example(FIRST)) == 422


def test_a_token_of_one_opens_nothing_of_the_other(both: Both) -> None:
    assert both.status(FIRST, both.example(FIRST), holder=SECOND) == 403
    assert both.status(SECOND, both.example(SECOND), holder=FIRST) == 403
    asked = both.platform.run("predict", "local", SECOND, "examples/application.json", "--consumer", CONSUMERS[FIRST])
    assert_one_message(asked, "answered 403", "this token gives no access here", code=1)


def test_experiments_runs_and_versions_are_each_system_s_own(both: Both) -> None:
    runs = both.registry(
        "SELECT e.name, r.run_uuid, r.artifact_uri FROM runs r JOIN experiments e USING (experiment_id)"
    )
    # Each trial of the search is a run beneath its training's.
    assert Counter(name for name, *_ in runs) == {FIRST: 1, SECOND: 1 + 4}
    versions = dict(both.registry("SELECT name, run_id FROM model_versions"))
    assert set(versions) == {FIRST, SECOND}
    assert all((name, versions[name]) in {(owner, run) for owner, run, _ in runs} for name in versions)
    folders = {name: uri.rpartition("/artifacts")[0].rpartition("/")[0] for name, _, uri in runs}
    assert folders[FIRST] != folders[SECOND]
    tags = {(name, key): value for name, key, value in both.registry("SELECT name, key, value FROM model_version_tags")}
    for mark in ("data_version", "settings_hash", "fingerprint"):
        assert tags[FIRST, mark] != tags[SECOND, mark]
    assert tags[FIRST, "code_version"] == tags[SECOND, "code_version"], "the steps are the same"
    learners = dict(
        both.registry("SELECT e.name, p.value FROM params p JOIN runs USING (run_uuid) JOIN experiments e "
                      "USING (experiment_id) WHERE p.key = 'algorithm'")
    )  # fmt: skip
    assert learners == {FIRST: "logistic_regression", SECOND: "hist_gradient_boosting"}


def test_both_ran_the_same_pipeline_on_stores_of_their_own(both: Both) -> None:
    compiled, content = {}, {}
    for system in CONSUMERS:
        folder = both.folder(system, of="runner")
        (file,) = (folder / "compiled").iterdir()
        compiled[system] = (file.name, file.read_bytes())
        content[system] = {path.name for path in (folder / "data").iterdir()}
        text = "".join(path.read_text(errors="replace") for path in folder.rglob("*.json"))
        other = {FIRST: SECOND, SECOND: FIRST}[system]
        assert str(both.folder(other, of="runner")) not in text
    assert compiled[FIRST] == compiled[SECOND]
    assert content[FIRST]
    assert content[FIRST].isdisjoint(content[SECOND])
    trials = {system: len(list(both.folder(system, of="runner").glob("trials/*.json"))) for system in CONSUMERS}
    assert trials == {FIRST: 0, SECOND: 4}
    kept = {path.name for path in (both.platform.home / "data/runner").iterdir()}
    assert {FIRST, SECOND, "runner.db"} <= kept
    assert not kept & {"data", "artifacts", "cache", "trials", "compiled"}


def test_what_happens_to_one_does_not_happen_to_the_other(both: Both) -> None:
    platform, releases = both.platform, both.folder(FIRST, of="serving") / "releases.json"
    before, pids = releases.read_bytes(), platform.pids()
    os.kill(pids[f"serving-{SECOND}"], signal.SIGKILL)
    assert {both.status(FIRST) for _ in range(5)} == {200}
    eventually(lambda: both.status(SECOND) == 200)
    after = platform.pids()
    assert {name for name in after if after[name] != pids[name]} == {f"serving-{SECOND}"}
    assert releases.read_bytes() == before
    again = both.run("train", "local", SECOND, "--if-needed", "--json")
    assert again.json["ran"] is False
    shown = json.loads(platform.run("status", "local", "--json").out)["systems"]
    same = {"champion": "1", "loaded": ["1"], "rollout": "", "stopped": "", "retired": False}
    assert shown == [{"name": system, **same} for system in CONSUMERS]


def test_the_catalog_s_lineage_of_one_never_crosses_the_other(both: Both) -> None:
    edges = both.run("catalog", "local", "--json").json["edges"]
    reached, todo = set(), [f"consumer:{CONSUMERS[SECOND]}"]
    while todo:
        here = todo.pop()
        new = {edge["source"] for edge in edges if edge["target"] == here} - reached
        reached |= new
        todo += new
    assert f"version:{SECOND}/1" in reached
    assert not [node for node in reached if FIRST in node or "hmda" in node.lower()]


def test_twelve_trials_of_the_first_and_what_its_gates_found_are_shown_and_kept(both: Both) -> None:
    done = both.run("train", "local", FIRST, "--trials", "12")
    chosen = (
        r"tune +12 of 12 trials, 0 known already; trial \d+ is best on the validation folds: (the defaults|C \S+), "
    )
    assert re.search(chosen, done.out), done.out
    for gate in ("privacy", "leakage", "signal", "fairness", "plausibility", "gates", "served", "compare"):
        assert re.search(rf"(?m)^   ✓ {gate} ", done.out), gate
        assert re.search(rf"(?m)^     {gate} +\S", done.out), gate
    assert "registered version 2" in done.out
    rows = both.registry(
        "SELECT e.name, m.value, t.value FROM metrics m JOIN tags t USING (run_uuid) JOIN runs r USING (run_uuid) "
        "JOIN experiments e USING (experiment_id) WHERE m.key = 'validation_auc' AND t.key = 'chosen'"
    )
    trials = [(auc, chosen) for name, auc, chosen in rows if name == FIRST]
    assert (len(trials), sum(chosen == "true" for _, chosen in trials)) == (12, 1)
    assert max(trials)[0] == next(auc for auc, chosen in trials if chosen == "true")
    assert len(list(both.folder(FIRST, of="runner").glob("trials/*.json"))) == 12


def test_a_gate_that_refuses_says_why_on_the_terminal_and_in_the_run(both: Both) -> None:
    path = both.platform.workspace.environment_file("local")
    declared = path.read_text()
    path.write_text(declared.replace("at_least: 0.75", "at_least: 0.99", 1))
    before = both.registry("SELECT name, version FROM model_versions")
    refused = both.platform.run("train", "local", FIRST)
    assert refused.code == 1
    assert re.search(r"(?m)^   ✗ gates ", refused.out), refused.text
    noted, _, failed = refused.err.partition("\n")
    assert f"{FIRST} has changes that `mlstrata up local` has not made yet" in noted
    said = re.fullmatch(rf"training {FIRST} failed: (gates: auc: 0\.\d+ .*, at least 0\.99 asked for)\n", failed)
    assert said, refused.err
    with sqlite3.connect(both.platform.home / "data/runner/runner.db") as runs:
        newest = runs.execute("SELECT state, error FROM runs ORDER BY created DESC").fetchone()
    assert newest == ("failed", said[1])
    assert both.registry("SELECT name, version FROM model_versions") == before


def test_a_system_is_retired_with_its_evidence_and_its_callers_are_told(both: Both) -> None:
    platform, path = both.platform, both.platform.workspace.environment_file("local")
    undeclared = platform.run("retire", "local", SECOND, "--keep", "--reason", "still asked for")
    assert_one_message(undeclared, "'retirement' is not among them", "capabilities: {on: [retirement]}")
    text = platform.declare(systems=2).replace("\nstage: ", "\ncapabilities: {on: [retirement]}\nstage: ", 1)
    first, second = text.split(f"  - name: {SECOND}\n")
    planned = f"    retire: {{date: {today() - timedelta(days=1)}, successor: {FIRST}}}\n"
    second = re.sub(r"(?m)^    retire:.*\n", "", second)
    path.write_text(f"{first}  - name: {SECOND}\n{planned}{second}")
    both.run("up", "local", "--yes")
    told = both.ask(SECOND).headers
    assert told["link"] == f'</systems/{FIRST}/v1/predict>; rel="successor-version"'
    assert "GMT" in told["sunset"]
    seen = both.run("retire", "local", SECOND, "--json").json["review"]
    assert (seen["version"], seen["successor"]["system"], seen["successor"]["version"]) == ("1", FIRST, "1")
    assert seen["successor"]["without_access"] == [CONSUMERS[SECOND]]
    assert seen["successor"]["asks_too"]
    assert CONSUMERS[SECOND] in {one["consumer"] for one in seen["use"] if one["lately"]}
    assert {one["met"] for one in seen["figures"]} <= {True, None}
    kept = both.run("retire", "local", SECOND, "--keep", "--reason", "still asked for", "--json").json
    refused = platform.run("retire", "local", SECOND, "--now", "--reason", "the product ended", "--yes")
    assert refused.code == 1
    assert f"{CONSUMERS[SECOND]} asked" in refused.err
    assert f"{FIRST}, which takes over, does not let in {CONSUMERS[SECOND]}" in refused.err
    assert both.status(SECOND) == 200
    order = ("retire", "local", SECOND, "--now", "--although", "--reason", "the product ended", "--yes", "--json")
    gone = both.run(*order).json
    answer = both.ask(SECOND)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "retired")
    assert answer.headers["link"] == told["link"]
    archive = Path(gone["archive"])
    assert sha256_of(archive) == gone["sha256"]
    with tarfile.open(archive) as packed:
        names = set(packed.getnames())
        manifest = json.load(packed.extractfile("manifest.json"))
        assert set(manifest["sha256"]) | {"manifest.json"} == names
        for name, digest in manifest["sha256"].items():
            assert hashlib.sha256(packed.extractfile(name).read()).hexdigest() == digest
    assert {"declaration.json", "decisions.json", "releases.json", "versions/1/model/MLmodel"} <= names
    assert "versions/1/reports/gates.json" in names
    assert not [name for name in names if "example" in name], "no rows are kept"
    log = both.run("audit", "local", "--json").json["log"]
    decided = [(one["number"], one["entry"]["action"]) for one in log if one["entry"]["system"] == SECOND][-2:]
    assert decided == [(kept["record"], "keep"), (int(gone["audit"].split(":")[0]), "retire")]
    assert gone["sha256"] in log[-1]["entry"]["reason"]
    again = both.run(*order).json
    assert (again["changed"], again["sha256"]) == (False, gone["sha256"])
    assert f"{SECOND:<28} retired by" in platform.run("status", "local").out
    assert both.status(FIRST) == 200


def test_what_a_removed_system_leaves_is_erased_by_one_command(both: Both) -> None:
    platform = both.platform
    declared = platform.run("erase", "local", SECOND, "--yes")
    assert_one_message(declared, f"systems: '{SECOND}' is declared; remove it, run `mlstrata up local`")
    platform.declare(systems=1)
    running = platform.run("erase", "local", SECOND, "--yes")
    assert_one_message(running, f"'{SECOND}' is removed from the file and runs still; run `mlstrata up local`")
    up = both.run("up", "local", "--yes")
    assert f"{SECOND} is removed and its data stay: `mlstrata erase local {SECOND}`" in up.out
    mistyped = platform.run("erase", "local", f"{SECOND}s", "--yes")
    assert_one_message(mistyped, f"allowed {SECOND}; did you mean '{SECOND}'?")
    (experiment,) = [str(number) for number, name in both.registry(EXPERIMENTS) if name == SECOND]
    artifacts = platform.home / "data/mlflow/artifacts"
    stored = [path for path in artifacts.rglob("*") if path.is_file()]
    assert not artifacts.is_dir() or any(experiment in path.parts for path in stored), "in a bucket, or there"
    archive = platform.home / "data/documents" / SECOND / "retired.tar.gz"
    retired = archive.read_bytes()
    done = both.run("erase", "local", SECOND, "--reason", "the product ended", "--yes", "--json").json
    assert archive.read_bytes() == retired
    assert (done["system"], done["versions"], done["runs"] > 0, done["bytes"] > 0) == (SECOND, 1, True, True)
    assert not [of for of in ("serving", "runner", "batch") if both.folder(SECOND, of=of).exists()]
    kept = [path for path in stored if experiment not in path.parts]
    assert [path for path in artifacts.rglob("*") if path.is_file()] == kept
    assert {name for _, name in both.registry(EXPERIMENTS)} & set(CONSUMERS) == {FIRST}
    assert {name for (name,) in both.registry("SELECT name FROM model_versions")} == {FIRST}
    with sqlite3.connect(platform.home / "data/runner/runner.db") as runs:
        assert runs.execute("SELECT DISTINCT system FROM runs").fetchall() == [(FIRST,)]
        (left,) = runs.execute("SELECT COUNT(*) FROM steps WHERE run NOT IN (SELECT id FROM runs)").fetchone()
    assert left == 0
    assert both.status(FIRST) == 200, "the other answers as before"
    entry = both.run("audit", "local", "--json").json["log"][-1]
    assert (entry["number"], entry["entry"]["action"]) == (done["record"], "erase")
    assert (entry["entry"]["system"], entry["entry"]["version_from"]) == (SECOND, "1")
    assert entry["entry"]["reason"] == "the product ended"
    both.run("audit", "local", "--verify")
    again = platform.run("erase", "local", SECOND, "--yes")
    assert_one_message(again, f"no data of a removed system '{SECOND}'; allowed none")
