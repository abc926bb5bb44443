"""A second `up` plans nothing only while all that the first was made from, and what it left, is as it was."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

import pulumi_embedded
from mlstrata.components.supervision.client import SupervisorClient
from mlstrata.components.supervision.supervisor import CONFIG, render_config
from mlstrata.environments import days
from mlstrata.operations import plan_basis, settled
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.plan_basis import basis
from mlstrata.operations.policy_gate import Verdict
from mlstrata_steps import versioning
from tests.support.command import copy_exemptions
from tests.support.company_policy import COST_CENTRE

ROOT = Path(__file__).parents[3]
VERDICT = Verdict("11 pass · 0 fail", {"counts": {"pass": 11}, "warnings": 0, "blocking": [], "errors": []})


@pytest.fixture
def deployment(tmp_path, monkeypatch):
    """An environment with one file that its supervisor's resources declare, and no service."""
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/local.yaml").write_text((ROOT / "environments/local.yaml").read_text())
    copy_exemptions(tmp_path)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "test")
    found = Deployment.open("local")
    found.checkpoint.parent.mkdir(parents=True)
    found.checkpoint.write_text("{}")
    socket = found.home / "run/supervisor.sock"
    for name, text in ((CONFIG, render_config(found.home, socket)), ("config/targets.json", "[1]")):
        (found.home / name).parent.mkdir(parents=True, exist_ok=True)
        (found.home / name).write_text(text)
    monkeypatch.setattr(SupervisorClient, "identity", lambda _self: f"mlstrata:{found.home}")
    state(monkeypatch, found)
    return found


def resource(kind, **outputs):
    return SimpleNamespace(
        urn=f"urn:{kind}", type=f"pulumi-python:dynamic/mlstrata:{kind}", outputs=outputs, delete=False,
        is_dynamic=True, is_provider=False,
    )  # fmt: skip


def state(monkeypatch, deployment, *more, operations=()):
    home = str(deployment.home)
    resources = (
        resource("Supervisor", home=home, socket=f"{home}/run/supervisor.sock"),
        resource("ConfigFile", home=home, path="config/targets.json", content=pulumi_embedded.Secret("[1]")),
        *more,
    )
    found = SimpleNamespace(resources=list(resources), operations=list(operations))
    monkeypatch.setattr(pulumi_embedded, "resources", lambda *_: found, raising=False)


def test_what_is_kept_is_read_again_while_nothing_differs(deployment):
    made_from = basis(deployment)
    settled.keep(deployment, made_from, VERDICT)
    found = settled.read(deployment, basis(deployment))
    assert found is not None
    assert found.verdict == VERDICT
    assert found.result().counts == {"same": 2}
    assert found.result().changes == 0
    assert (deployment.home / settled.FILE).stat().st_mode & 0o777 == 0o600
    assert "[1]" not in (deployment.home / settled.FILE).read_text(), "digests only: a file may hold a secret"


def test_the_code_of_every_room_is_part_of_what_a_plan_is_made_from(deployment, monkeypatch):
    digested = set()
    monkeypatch.setattr(versioning, "tree_digest", lambda folder, *_: digested.add(folder.resolve()) or "")
    basis(deployment)
    rooms = {one.parent for one in (*ROOT.glob("*/__init__.py"), *ROOT.glob("mlstrata/*/__init__.py"))}
    assert {one.name for one in rooms} >= {"components", "locks", "operations", "stacks"}
    unseen = {one.name for one in rooms if not digested & {one, *one.parents}}
    assert unseen <= {"bench"}, "which measures, and is not installed"


@pytest.mark.parametrize(
    "change",
    [
        lambda one: (one.home / "config/targets.json").write_text("[2]"),
        lambda one: (one.home / "config/targets.json").unlink(),
        lambda one: (one.home / CONFIG).write_text("edited"),
        lambda one: one.checkpoint.write_text('{"another": 1}'),
        lambda one: one.settings.write_text("config: {}"),
        lambda one: (one.home / settled.FILE).write_text("{"),
        lambda one: (one.home / settled.FILE).write_text(json.dumps({"basis": basis(one)})),
    ],
    ids=["edited", "missing", "supervisor", "state", "settings", "torn", "of another version"],
)
def test_what_differs_on_this_machine_is_a_reason_to_plan(deployment, change):
    settled.keep(deployment, basis(deployment), VERDICT)
    assert settled.read(deployment, basis(deployment)) is not None
    change(deployment)
    assert settled.read(deployment, basis(deployment)) is None


def test_a_dead_supervisor_is_a_reason_to_plan(deployment, monkeypatch):
    settled.keep(deployment, basis(deployment), VERDICT)
    monkeypatch.setattr(SupervisorClient, "identity", lambda _self: None)
    assert settled.read(deployment, basis(deployment)) is None


def test_a_service_that_does_not_run_is_a_reason_to_plan(deployment, monkeypatch):
    home = deployment.home
    service = resource(
        "Service", home=str(home), socket=f"{home}/run/supervisor.sock", name="one", command=["true"], directory="",
        stop_seconds=10.0,
    )  # fmt: skip
    state(monkeypatch, deployment, service)
    settled.keep(deployment, basis(deployment), VERDICT)
    monkeypatch.setattr(SupervisorClient, "settled", lambda *_: None)
    assert settled.read(deployment, basis(deployment)) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda one, _: one.file.write_text(one.file.read_text() + "\n# another text\n"),
        lambda one, _: (one.workspace.root / "policies/exemptions.yaml").write_text("exemptions: []\n"),
        lambda one, _: (one.workspace.root / "policies/levels.yaml").write_text("levels: []\n"),
        lambda one, _: (one.workspace.root / "environments/other.yaml").write_text(""),
        lambda one, _: (one.workspace.root / "Pulumi.yaml").write_text("name: another\n"),
        lambda _, patch: patch.setenv("MLSTRATA_TOOLS", "/another"),
        lambda _, patch: patch.setenv("PATH", os.environ["PATH"] + ":/another"),
        lambda _, patch: patch.setattr(days, "now", lambda: datetime.now(tz=UTC) + timedelta(days=1)),
        lambda _, patch: patch.setattr("mlstrata_steps.versioning.tree_digest", lambda folder, *_: str(folder)),
    ],
    ids=["file", "exemptions", "levels", "environments", "project", "tools", "path", "day", "code"],
)
def test_what_a_plan_is_made_from_changes_its_basis(deployment, monkeypatch, change):
    before = basis(deployment)
    assert basis(deployment) == before
    change(deployment, monkeypatch)
    assert basis(deployment) != before


def test_a_document_that_a_policy_looks_into_is_part_of_the_basis(deployment):
    text = deployment.file.read_text()
    deployment.file.write_text(text.replace("    oversight:", "    documents: {dpia: dpia.md}\n    oversight:", 1))
    before = basis(named := Deployment.open("local"))
    (deployment.workspace.root / "dpia.md").write_text("assessed")
    assert basis(named) != before


@pytest.mark.parametrize(
    "more",
    [
        {"more": [resource("Guest")]},
        {"operations": [object()]},
    ],
    ids=["a resource that nothing here can look at", "an operation that did not end"],
)
def test_what_cannot_be_looked_at_is_not_kept(deployment, monkeypatch, more):
    settled.keep(deployment, basis(deployment), VERDICT)
    state(monkeypatch, deployment, *more.get("more", ()), operations=more.get("operations", ()))
    settled.keep(deployment, basis(deployment), VERDICT)
    assert not (deployment.home / settled.FILE).exists(), "what the last one left is gone too"


def test_code_of_a_workspace_is_planned_each_time(deployment):
    assert not plan_basis.has_own_code(deployment)
    (deployment.workspace.root / "policies/cost.py").write_text(COST_CENTRE)
    assert plan_basis.has_own_code(deployment)
    settled.keep(deployment, basis(deployment), VERDICT)
    assert settled.read(deployment, basis(deployment)) is None
