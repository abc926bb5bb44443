"""The story of two people, by commands alone: one releases, the other sees worse figures and goes back; all is kept."""

import json
import os
import pty
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.command import copy_exemptions, stored

pytestmark = pytest.mark.local

ROOT = Path(__file__).parents[2]
MLSTRATA = Path(sys.executable).with_name("mlstrata")
SYSTEM = "mortgage-approval"
FREE = {"kind": "local", "ports": dict.fromkeys(("gateway", "mlflow", "prometheus", "alertmanager", "runner"), 0)}
# A model that regularisation keeps from learning much: worse than the shipped one, and still good enough to register.
WORSE = {"parameters": {"C": 0.001}}
# As behind a company's proxy, which knows nothing of this machine's own services: nobody may ask it for them.
NO_WAY_OUT = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""}


class People:
    """A workspace of its own at the stage where a release is a person's decision, and those who work there."""

    def __init__(self, root: Path):
        self.root = root
        self.file = root / "environments" / "local.yaml"
        data = root / ".mlstrata" / "local" / "data"
        self.log, self.serving = data / "audit" / "audit.jsonl", data / "serving" / SYSTEM
        self.declared = yaml.safe_load(stored((ROOT / "environments/local.yaml").read_text()))
        self.declared |= {"target": FREE, "stage": "prerequisites", "capabilities": {}}
        self.declared["systems"] = self.declared["systems"][:1]
        # Of a later stage; its key `on` is a truth value to YAML 1.1, which this reader keeps to.
        del self.declared["systems"][0]["retrain"]
        self.file.parent.mkdir()
        copy_exemptions(root)
        self.declare()

    @property
    def system(self) -> dict:
        """What the environment's file says of the system; `declare` writes what was changed in it."""
        return next(one for one in self.declared["systems"] if one["name"] == SYSTEM)

    def declare(self) -> None:
        self.file.write_text(yaml.safe_dump(self.declared))

    def run(self, *arguments: str, code: int = 0, user: str = "ana", **options) -> subprocess.CompletedProcess:
        environ = {**os.environ, "MLSTRATA_WORKSPACE": str(self.root), "LOGNAME": user, "NO_COLOR": "1", **NO_WAY_OUT}
        given = {"stdin": subprocess.DEVNULL, "env": environ | {"COLUMNS": "200"}, "cwd": self.root} | options
        done = subprocess.run([MLSTRATA, *arguments], capture_output=True, text=True, check=False, **given)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done

    def at_terminal(self, typed: str, *arguments: str, **options) -> subprocess.CompletedProcess:
        """Run a command whose questions get `typed` for an answer."""
        ours, theirs = pty.openpty()
        try:
            os.write(ours, f"{typed}\n".encode())
            return self.run(*arguments, stdin=theirs, **options)
        finally:
            os.close(ours)
            os.close(theirs)

    def json(self, *arguments: str, **options) -> dict:
        return json.loads(self.run(*arguments, "--json", **options).stdout)

    def answers(self) -> str:
        """The version that answers a consumer."""
        return self.json("predict", "local", SYSTEM, str(ROOT / "examples/application.json"))["model"]["version"]

    def decisions(self) -> list[dict]:
        return [record["entry"] for record in self.json("audit", "local")["log"]]


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Iterator[People]:
    made = People(tmp_path_factory.mktemp("workspace"))
    try:
        up = made.json("up", "local", "--yes", "--train")
        assert up["systems"][0]["champion"] == "1"
        yield made
    finally:
        made.run("down", "local", "--yes")


@pytest.fixture(scope="module")
def second(people) -> dict:
    """Version 2, worse than version 1, and a limit that the business has set between the two since."""
    people.system["model"]["settings"] |= WORSE
    people.declare()
    trained = people.json("train", "local", SYSTEM)
    assert trained["version"] == "2"
    figures = people.run("release", "local", SYSTEM, "--reason", "to look at it", code=2).stdout
    found = re.search(r"auc +(0\.\d+) .*? (0\.\d+) \[.*within", figures)
    assert found, figures
    worse, better = map(float, found.groups())
    assert 0.75 < worse < better
    people.system["kpis"] = [{"metric": "auc", "at_least": round((worse + better) / 2, 4)}]
    people.declare()
    return {"worse": worse, "better": better}


def test_the_first_release_of_up_has_its_entry(people):
    (entry,) = people.decisions()
    assert (entry["action"], entry["version_from"], entry["version_to"], entry["who"]) == ("release", None, "1", "ana")
    assert entry["reason"] == "first version of a new environment"
    assert entry["outcome"] == "done"


def test_a_release_shows_both_and_waits_for_a_yes(people, second):
    before = people.log.read_bytes()
    quiet = people.run("release", "local", SYSTEM, "--reason", "fresher", code=2)
    assert "No terminal to confirm on: add --yes" in quiet.stderr
    assert "candidate 2" in quiet.stdout
    assert "champion 1" in quiet.stdout
    assert re.search(r"auc .*at least 0\.\d+ +OUTSIDE", quiet.stdout)
    assert "✓ auc: 0." in quiet.stdout
    assert quiet.stdout.count("\n ✓ ") > 1, "what training found plausible is shown too"
    asked = people.at_terminal("n", "release", "local", SYSTEM, "--reason", "fresher", code=130)
    assert "in place of 1 although outside of its limits: auc?" in asked.stdout + asked.stderr
    assert people.answers() == "1"
    assert people.log.read_bytes() == before


@pytest.mark.parametrize("reason", [[], ["--reason", "  "]])
@pytest.mark.parametrize("command", [("release", "--yes"), ("rollback",)])
def test_a_champion_is_not_replaced_without_a_reason(people, second, command, reason):
    refused = people.run(command[0], "local", SYSTEM, *command[1:], *reason, code=2)
    assert "--reason: got nothing" in refused.stderr
    assert people.answers() == "1"


def test_one_releases_and_the_other_goes_back(people, second, record_property):
    done = people.json("release", "local", SYSTEM, "--yes", "--reason", "fresher data", user="ana")
    assert (done["version"], done["previous"], done["comparison"]["objections"]) == ("2", "1", ["auc"])
    assert people.answers() == "2"
    auc = next(figure for figure in done["comparison"]["figures"] if figure["metric"] == "auc")
    assert auc["candidate"][0] < auc["champion"][0]
    assert (auc["within"], auc["champion_within"]) == (False, True)

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    back = people.json("rollback", "local", SYSTEM, "--reason", "auc fell below the limit", user="ben")
    took = time.monotonic() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    work = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    record_property("rollback_s", took)
    record_property("rollback_cpu_s", work)
    assert (back["version"], back["previous"], back["warnings"]) == ("1", "2", [])
    assert people.answers() == "1"

    *_, onward, backward = people.decisions()
    keys = ("who", "action", "version_from", "version_to", "reason", "outcome")
    assert [onward[key] for key in keys] == ["ana", "release", "1", "2", "fresher data", "done"]
    assert [backward[key] for key in keys] == ["ben", "rollback", "2", "1", "auc fell below the limit", "done"]
    assert onward["metrics"]["candidate"]["auc"] == pytest.approx(second["worse"], abs=1e-3)
    assert onward["metrics"]["champion"]["auc"] == pytest.approx(second["better"], abs=1e-3)
    shown = people.run("audit", "local").stdout
    assert re.search(r"ben +rollback +mortgage-approval +2 → 1 +done +auc fell below the limit", shown)
    verified = people.json("audit", "local", "--verify")
    assert (verified["ok"], verified["entries"], verified["head"]) == (True, 3, back["audit"].partition(":")[2])


def test_a_decider_may_be_named(people, second):
    decider = ("--decider", "Cleo Board")
    people.at_terminal("y", "release", "local", SYSTEM, "--version", "2", "--reason", "the board", *decider)
    assert people.answers() == "2"
    people.run("rollback", "local", SYSTEM, "--reason", "the board again", *decider)
    assert [entry["who"] for entry in people.decisions()[-2:]] == ["Cleo Board"] * 2


def test_a_release_that_fails_is_told_too(people, second):
    before = len(people.decisions())
    copy = people.serving / "models" / "2"
    (copy / "serving_input_example.json").write_text("[]")
    failed = people.run("release", "local", SYSTEM, "--yes", "--reason", "again", code=1)
    assert "its files are not those that were judged and released" in failed.stderr
    assert not copy.exists(), "the next release fetches it anew"
    assert people.answers() == "1"
    told = people.decisions()[before:]
    assert [(entry["outcome"], entry["reason"]) for entry in told] == [("failed", "again")]
    assert "not those that were judged" in told[0]["problem"]


def test_the_script_of_the_workflows_decides_too(people, second):
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    script = workflow["jobs"]["release"]["steps"][-1]["run"]
    given = {"MLSTRATA_CHECKOUT": ROOT, "ENVIRONMENT": "local", "SYSTEM": SYSTEM, "VERSION": "", "DECIDER": "octo"}
    environ = {**os.environ, **given, "MLSTRATA_WORKSPACE": people.root}
    for action, version in (("release", "2"), ("rollback", "1")):
        told = environ | {"ACTION": action, "REASON": f"{action} from the web"}
        done = subprocess.run(["bash", "-c", script], env=told, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "whole" in done.stdout.splitlines()[-1]
        assert people.answers() == version
        entry = people.decisions()[-1]
        assert (entry["who"], entry["reason"]) == ("octo", f"{action} from the web")


def test_tampering_is_found_and_named(people):
    good = people.log.read_bytes()
    try:
        people.log.write_bytes(good.replace(b'"who":"ben"', b'"who":"ann"', 1))
        broken = people.run("audit", "local", "--verify", code=1)
        number = next(at for at, line in enumerate(good.splitlines(), 1) if b'"who":"ben"' in line)
        assert f"entry {number} (line {number}): changed since it was written" in broken.stdout
        assert not people.json("audit", "local", "--verify", code=1)["ok"]
        assert "the log was altered" in people.run("audit", "local").stdout
        people.log.write_bytes(b"".join(good.splitlines(keepends=True)[:-1]))
        assert "missing at the end" in people.run("audit", "local", "--verify", code=1).stdout
    finally:
        people.log.write_bytes(good)
    assert people.json("audit", "local", "--verify")["ok"]
