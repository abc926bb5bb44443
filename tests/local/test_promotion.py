"""A version goes from one environment to another: model, evidence and approvals, once, and nothing that may not."""

import json
import re
import signal
import time
from collections.abc import Iterator

import httpx
import pytest
import yaml

from mlstrata.clients.mlflow import Registry
from mlstrata.clients.mlflow.access import header, sealing, variables
from mlstrata.operations.releases.gate import sealed
from mlstrata_steps.seal import DIGEST, KEY, TAG
from tests.support.command import ROOT, Done, Platform, assert_one_message

pytestmark = pytest.mark.local

SYSTEM, OTHER = "mortgage-approval", "second"
WHY = ("--reason", "agreed in the meeting of model owners", "--decider", "ana")


class Two:
    """Two environments of one workspace; the first has a version that it trained and released."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.text = platform.declare("prerequisites")
        self.file = platform.workspace.environment_file(OTHER)
        self.declare()
        # What the shipped environment is let off, this workspace's second one is too.
        exemptions = platform.root / "policies/exemptions.yaml"
        text = (ROOT / "policies/exemptions.yaml").read_text()
        found = [one for one in yaml.safe_load(text)["exemptions"] if "local" in one["environments"]]
        both = [{**one, "environments": ["local", OTHER]} for one in found]
        exemptions.write_text(yaml.safe_dump({"exemptions": both}))

    def declare(self, **changes: str) -> None:
        text = re.sub(r"(?m)^name: local", f"name: {OTHER}", self.text)
        for before, after in changes.items():
            assert before in text
            text = text.replace(before, after)
        self.file.write_text(text)

    def promote(self, *options: str) -> Done:
        return self.platform.run("promote", "local", SYSTEM, "--to", OTHER, "--yes", *options)

    def side(self, environment: str) -> Registry:
        home = self.platform.workspace.home(environment)
        state = json.loads((self.platform.root / f".pulumi/stacks/mlstrata/{environment}.json").read_text())
        found = state["checkpoint"]["latest"]["resources"]
        urls = next(one["outputs"]["urls"] for one in found if "urls" in one.get("outputs", {}))
        return Registry(urls["mlflow"], header(variables(home)))

    def audit(self, environment: str) -> list[dict[str, object]]:
        path = self.platform.workspace.home(environment) / "data/audit/audit.jsonl"
        return [json.loads(line)["entry"] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    platform = Platform(tmp_path_factory.mktemp("two environments"))
    made = Two(platform)
    try:
        platform.up("--train")
        done = platform.run("up", OTHER, "--yes")
        assert done.code == 0, done.text
        yield made
    finally:
        platform.run("down", OTHER, "--yes")
        platform.end()


def test_what_may_not_go_on_is_refused_by_name_and_nothing_is_registered(two: Two) -> None:
    try:
        two.declare(**{"at_least: 0.75": "at_least: 0.99"})
        refused = two.promote(*WHY)
        assert_one_message(refused, "its auc is 0.8", "must be at least 0.99", code=1)
        two.declare(**{"tier: high": "tier: minimal"})
        assert_one_message(
            two.promote(*WHY), "systems[0].risk.tier", "local has", "evidence would be of another system"
        )
    finally:
        two.declare()
    assert_one_message(two.promote(), "--reason is required")
    assert_one_message(two.promote(*WHY, "--version", "7"), "got '7'", "has registered of mortgage-approval: 1", code=1)
    assert_one_message(two.platform.run("promote", "local", SYSTEM, "--to", "local", "--yes", *WHY), "--to: got local")
    assert two.side(OTHER).versions(SYSTEM) == []
    assert two.audit(OTHER) == []


def test_killed_at_any_moment_the_next_promotion_ends_it_and_there_is_one_version(two: Two) -> None:
    for moment in (0.6, 1.0, 1.4):
        begun = two.platform.start("promote", "local", SYSTEM, "--to", OTHER, "--yes", *WHY)
        time.sleep(moment)
        begun.send_signal(signal.SIGKILL)
        begun.communicate()
    done = two.promote(*WHY, "--json")
    assert done.code == 0, done.text
    (version,) = two.side(OTHER).versions(SYSTEM)
    assert (version["version"], done.json["version"]) == ("1", "1")
    again = two.promote(*WHY, "--json")
    assert (again.code, again.json["created"], again.json["version"]) == (0, False, "1")
    assert [entry["action"] for entry in two.audit(OTHER)] == ["promote"]


def test_model_evidence_and_approvals_are_there_as_they_were(two: Two) -> None:
    here, there = two.side("local"), two.side(OTHER)
    (before,), (after,) = here.versions(SYSTEM), there.versions(SYSTEM)
    runs = here.run(before["run_id"]), there.run(after["run_id"])
    for kind in ("params", "metrics"):
        facts = [{one["key"]: str(one["value"]) for one in run["data"][kind]} for run in runs]
        assert facts[0] == facts[1] != {}
    tags = [{tag["key"]: tag["value"] for tag in one["tags"]} for one in (before, after)]
    # Each environment seals by its own key, and neither takes the other's seal for its own.
    homes = [two.platform.workspace.home(environment) for environment in ("local", OTHER)]
    for side, made in ((here, tags[0]), (there, tags[1])):
        fits = [sealed(side, SYSTEM, side.candidate(SYSTEM, "1"), sealing(home)[KEY]) for home in homes]
        assert fits == ([made[DIGEST], None] if side is here else [None, made[DIGEST]])
    seals = [one.pop(TAG) for one in tags]
    assert seals[0] != seals[1]
    assert tags[0].items() <= tags[1].items()
    assert tags[1]["promoted_from"] == "local/1"
    roots = [one["info"]["artifact_uri"] for one in runs]
    files = [dict.fromkeys(side.files(root)) for side, root in zip((here, there), roots, strict=True)]
    assert set(files[1]) - set(files[0]) == {"promotion.json"}
    for path in files[0]:
        assert here.read(runs[0]["info"]["artifact_uri"], path) == there.read(runs[1]["info"]["artifact_uri"], path)
    evidence = json.loads(there.read(runs[1]["info"]["artifact_uri"], "promotion.json"))
    (approval,) = evidence["approvals"]
    (released,) = two.audit("local")
    assert (approval["action"], approval["who"], approval["reason"]) == ("release", released["who"], released["reason"])
    assert (evidence["who"], evidence["reason"]) == ("ana", WHY[1])
    (entry,) = two.audit(OTHER)
    assert (entry["version_from"], entry["version_to"], entry["who"]) == ("local/1", "1", "ana")
    assert two.platform.run("audit", OTHER, "--verify").code == 0


def test_it_answers_there_as_it_does_here_once_it_is_released(two: Two) -> None:
    done = two.platform.run("release", OTHER, SYSTEM, "--yes", "--reason", "as in local")
    assert done.code == 0, done.text
    body = str(ROOT / "examples/application.json")
    answers = [two.platform.run("predict", name, SYSTEM, body, "--json") for name in ("local", OTHER)]
    assert [one.code for one in answers] == [0, 0], [one.text for one in answers]
    assert answers[0].json["predictions"] == answers[1].json["predictions"]


def test_a_log_that_is_not_whole_approves_nothing(two: Two) -> None:
    path = two.platform.home / "data/audit/audit.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"release"', b'"rollback"', 1))
    try:
        assert_one_message(two.promote(*WHY), "the audit log of local is damaged", "approves nothing", code=1)
    finally:
        path.write_bytes(whole)


def test_a_registry_that_is_gone_is_said(two: Two) -> None:
    assert httpx.get(f"{two.side(OTHER).address}/health", trust_env=False).status_code == 200
    two.platform.run("down", OTHER, "--yes", "--keep-data")
    assert_one_message(two.promote(*WHY), "second is not up")
