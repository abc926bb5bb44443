"""Versions of a system that scores: released and taken back on a real API server, with a real registry, and scored by.

No container runs: what the CronJob's pod would run is run by the test, with the settings that the cluster has.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlstrata.audit import read as read_log
from mlstrata.cli.main import main
from mlstrata.clients.mlflow import Registry, RegistryError
from mlstrata.clients.mlflow.access import of
from mlstrata.operations.releases import rollout as module
from mlstrata.services.serving.cluster import RECORD, job_of
from mlstrata.services.serving.releases import Releases
from tests.support.registered import FOREST, TEAM, Beside
from tests.support.registry import PASSWORD
from tests.support.releases import Way, kubeconfig

JOB, RELEASER = job_of(FOREST), f"release-{FOREST}"
WHY = ("--reason", "it is better", "--decider", "ben")


@pytest.fixture
def world(with_registry: Beside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Beside]:
    """Give the cluster with the rights of whoever releases the system; version 1 scores."""
    with_registry.use(tmp_path, monkeypatch)
    way = Way(with_registry.cluster.port)
    account = kubeconfig(with_registry.cluster, way, f"{TEAM}:{RELEASER}", tmp_path / "kubeconfig")
    monkeypatch.setenv("KUBECONFIG", str(account))
    # That account may read no secret.
    for name, value in of(PASSWORD).items():
        monkeypatch.setenv(name, value)
    assert main(["release", "dev", FOREST, "--version", "1", "--yes", "--reason", "the start of a test"]) == 0
    yield with_registry
    way.close()


def record(world: Beside) -> Releases:
    found = world.cluster.get("cronjobs", JOB, TEAM)["metadata"]["annotations"][RECORD]
    return Releases.model_validate_json(found)


def champion(world: Beside) -> str | None:
    return Registry(world.registry).champion(FOREST)


def scored(world: Beside, folder: Path) -> dict[str, Any]:
    """Run what the CronJob's pod runs, over rows and in folders of the test."""
    declared = json.loads(world.cluster.get("configmaps", JOB, TEAM)["data"]["settings.json"])
    folder.mkdir()
    (folder / "rows.csv").write_text("pirat,lvrat\n0.1,0.3\n0.9,1.1\n")
    places = {"directory": folder / "models", "workdir": folder / "work", "input": folder / "rows.csv"}
    (folder / "job.json").write_text(json.dumps(declared | {name: str(path) for name, path in places.items()}))
    (container,) = world.cluster.get("cronjobs", JOB, TEAM)["spec"]["jobTemplate"]["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["command"][0] == "python"
    done = world.python(*container["command"][1:], f"--settings={folder}/job.json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_what_is_released_is_what_the_next_run_scores_by(world, tmp_path, capsys):
    before = len(record(world).history)
    capsys.readouterr()
    assert main(["release", "dev", FOREST, "--version", "2", "--yes", *WHY]) == 0
    said = capsys.readouterr().out
    assert "candidate 2" in said
    assert "champion 1" in said, "both are shown beside each other"
    assert "0.840" in said
    assert "at least 0.7" in said
    assert champion(world) == "2"
    manifest = scored(world, tmp_path / "a")
    assert (manifest["version"], manifest["scored"]) == ("2", 2)
    assert main(["rollback", "dev", FOREST, "--reason", "complaints", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["version"], done["previous"], done["warnings"]) == ("1", "2", [])
    assert champion(world) == "1"
    assert scored(world, tmp_path / "b")["version"] == "1"
    found = record(world)
    decided = [(one.kind, one.from_, one.to, one.who, one.why) for one in found.history[before:]]
    assert decided[0] == ("release", "1", "2", "ben", "it is better")
    assert (decided[1][:3], decided[1][4]) == (("rollback", "2", "1"), "complaints")
    assert (len(decided), found.champion, found.settled) == (2, "1", True)
    log = [one.entry for one in read_log(tmp_path / ".mlstrata/dev/data/audit/audit.jsonl")]
    assert [(one["action"], one["version_to"], one["outcome"]) for one in log][-2:] == [
        ("release", "2", "done"),
        ("rollback", "1", "done"),
    ]
    assert log[-2]["metrics"] == {"candidate": {"auc": 0.84}, "champion": {"auc": 0.8}}
    main(["status", "dev", "--json"])
    systems = {one["name"]: one for one in json.loads(capsys.readouterr().out)["systems"]}
    assert systems[FOREST]["healthy"]
    assert (systems[FOREST]["champion"], systems[FOREST]["pods"]) == ("1", None)


@pytest.mark.parametrize(
    ("version", "said"), [("3", "it did not pass 'auc'"), ("4", "has no input example to try it on")]
)
def test_a_version_that_should_not_score_does_not(world, capsys, version, said):
    before = record(world)
    assert main(["release", "dev", FOREST, "--version", version, "--yes", *WHY]) == 1
    assert said in " ".join(capsys.readouterr().err.split())
    assert champion(world) == "1"
    assert record(world) == before


class Died(BaseException):
    """Stands for kill -9: nothing after it runs, not even what would undo."""


def failing(error: BaseException) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_a_release_that_was_killed_goes_on_when_it_is_run_again(world, tmp_path, capsys):
    before = len(record(world).history)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Registry, "set_champion", failing(Died()))
        patch.setattr(module, "_undo", lambda *_: True)
        patch.setattr(module.Journal, "failed", lambda *_: None)
        with pytest.raises(Died):
            main(["release", "dev", FOREST, "--version", "2", "--yes", *WHY])
    assert (champion(world), record(world).settled) == ("1", False), "what scored before goes on scoring"
    assert main(["release", "dev", FOREST, "--version", "2", "--yes", *WHY]) == 0
    assert (champion(world), record(world).settled) == ("2", True)
    assert len(record(world).history) == before + 1, "one decision, however often it was run"
    capsys.readouterr()


def test_going_back_is_not_said_to_be_done_while_the_registry_does_not_answer(world, monkeypatch, capsys):
    assert main(["release", "dev", FOREST, "--version", "2", "--yes", *WHY]) == 0
    before = record(world)
    with monkeypatch.context() as patch:
        patch.setattr(Registry, "set_champion", failing(RegistryError("the registry at x does not answer")))
        assert main(["rollback", "dev", FOREST, "--reason", "complaints"]) == 1
    assert "does not answer" in capsys.readouterr().err
    assert (champion(world), record(world)) == ("2", before)
    assert main(["rollback", "dev", FOREST, "--reason", "complaints"]) == 0
    assert champion(world) == "1"


def test_deploying_the_environment_again_leaves_what_was_released(world):
    declared = next(one for one in world.objects if one["kind"] == "CronJob" and one["metadata"]["name"] == JOB)
    before = record(world)
    changed = json.loads(json.dumps(declared))
    changed["spec"]["failedJobsHistoryLimit"] = 5
    for one in (changed, declared):
        done = world.cluster.kubectl(
            "apply", "--server-side", "--field-manager=mlstrata", "-f", "-", stdin=json.dumps(one)
        )
        assert done.code == 0, done.err
        assert record(world) == before


@pytest.mark.parametrize(
    ("verb", "resource", "allowed"),
    [
        ("get", f"cronjobs.batch/{JOB}", True),
        ("patch", f"cronjobs.batch/{JOB}", True),
        ("update", f"cronjobs.batch/{JOB}", False),
        ("patch", f"cronjobs.batch/training-{FOREST}", False),
        ("list", "cronjobs.batch", False),
        ("create", "jobs.batch", False),
        ("get", "secrets", False),
        ("patch", f"configmaps/{JOB}", False),
    ],
)
def test_whoever_releases_can_do_this_and_no_more(with_registry, verb, resource, allowed):
    group = f"--as-group=mlstrata:dev:{FOREST}:release"
    assert with_registry.cluster.can(f"{TEAM}:{RELEASER}", verb, resource, TEAM) is allowed
    assert with_registry.cluster.can("ana", verb, resource, TEAM, group) is allowed
