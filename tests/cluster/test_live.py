"""`check --live` and the dossier of an environment on a cluster: a real API server, a real registry."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlstrata.cli.main import main
from mlstrata.environments import days
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.live_facts import gather
from mlstrata.operations.releases.kubernetes import KubernetesBackend, served
from mlstrata.operations.reporting import SILENT
from mlstrata.operations.targets.kubernetes import Kubernetes
from mlstrata.policies.core.live import GateOutcome, LiveSystem
from mlstrata.services.serving.releases import HistoryEntry, Releases
from tests.support.registered import APPROVAL, FOREST, GOOD, TEAM, Beside


@pytest.fixture
def world(with_registry: Beside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Beside:
    """Give the cluster as somebody sees it who may read the registry's password there."""
    with_registry.use(tmp_path, monkeypatch)
    return with_registry


def released(*versions: str) -> KubernetesBackend:
    """Have the cluster's record say that versions were released, one after the other."""
    history = tuple(
        HistoryEntry(kind="release", when=datetime.now(UTC), who="ben", why="better", from_=before, to=version)
        for before, version in zip((None, *versions), versions, strict=False)
    )
    backend = Deployment.open("dev").target.backend()
    place = backend.place(APPROVAL)
    mark = served.read(backend.cluster, place).mark
    served.write(backend.cluster, place, Releases(champion=versions[-1], history=history), mark)
    return backend


def run(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[set[str], str]]:
    """Return what each policy says of the system: its outcomes, and the reasons."""
    main(["check", "dev", "--live", "--format", "json"])
    results = json.loads(capsys.readouterr().out)[0]["results"]
    own = [one for one in results if one["subject"] == APPROVAL]
    said = {one["policy"]: [other for other in own if other["policy"] == one["policy"]] for one in own}
    return {
        policy: ({one["outcome"] for one in found}, "; ".join(one["reason"] for one in found))
        for policy, found in said.items()
    }


def test_everything_known_of_what_answers_is_passed_in(world):
    released("2", "1")
    found = gather(Deployment.open("dev"), SILENT)
    assert set(found.systems) == {APPROVAL, FOREST, "ticket-routing"}
    known = found.of(APPROVAL)
    assert known == LiveSystem(
        version="1",
        rollback_target="2",
        released=2,
        metrics=GOOD,
        gates=(GateOutcome("auc", True, "of the test"),),
        bias={"afam": 0.1, "single": 0.04},
        bias_measured=days.today(),
    )
    assert found.of("ticket-routing") == LiveSystem()


def test_the_check_judges_what_answers(world, capsys):
    released("1")
    found = run(capsys)
    assert found["life-promotion-gate"][0] == found["data-bias-report-fresh"][0] == {"pass"}
    assert found["life-rollback-target"][0] == {"not_applicable"}
    released("1", "2")
    found = run(capsys)
    assert "version 2 answers though it did not pass 'auc'" in found["life-promotion-gate"][1]
    assert found["data-bias-report-fresh"][0] == {"fail"}
    # Somebody went round the release: what the pods are told is what answers.
    deployment = released("1")
    patch = json.dumps({"spec": {"annotations": {served.VERSION: "2"}}})
    done = world.cluster.kubectl("patch", "seldondeployments", APPROVAL, "-n", TEAM, "--type=merge", "-p", patch)
    assert done.code == 0, done.err
    try:
        assert deployment.releases(APPROVAL).champion == "1"
        assert run(capsys)["life-promotion-gate"][0] == {"fail"}
    finally:
        patch = json.dumps({"spec": {"annotations": {served.VERSION: None}}})
        world.cluster.kubectl("patch", "seldondeployments", APPROVAL, "-n", TEAM, "--type=merge", "-p", patch)


def test_a_registry_or_a_cluster_that_does_not_answer_is_said(world, monkeypatch, capsys):
    released("1")
    with monkeypatch.context() as patch:
        patch.setenv("MLSTRATA_REGISTRY_URL", "http://127.0.0.1:1")
        assert main(["check", "dev", "--live"]) == 1
        assert "the registry at http://127.0.0.1:1 does not" in " ".join(capsys.readouterr().err.split())
    made = Kubernetes.__dict__["cluster"].fget
    with monkeypatch.context() as patch:
        patch.setattr(Kubernetes, "cluster", property(lambda target: replace(made(target), patience_s=0.5)))
        folder = Deployment.open("dev").workspace.root
        config = (folder / "kubeconfig").read_text().replace(f":{world.cluster.port}", ":1")
        (folder / "gone").write_text(config)
        patch.setenv("KUBECONFIG", str(folder / "gone"))
        assert main(["check", "dev", "--live"]) == 2
    assert "the cluster does not answer" in " ".join(capsys.readouterr().err.split())


def test_the_dossier_has_what_registry_and_cluster_know(world, tmp_path, capsys):
    released("1")
    assert main(["dossier", "dev", APPROVAL, "-o", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unreadable"] == []
    (decision,) = json.loads((tmp_path / "out/decisions.json").read_text())
    assert (decision["who"], decision["action"], decision["version_to"]) == ("ben", "release", "1")
    page = (tmp_path / "out/technical-documentation.html").read_text()
    assert "the record that the cluster keeps with the system" in page
    assert "pirat (double), lvrat (double)" in page, "the signature, from the registry's files"
    assert "chain of hashes" not in page
    assert "chain of hashes" not in (tmp_path / "out/decisions.html").read_text()
