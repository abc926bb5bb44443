"""`mlstrata up` refuses what its policies block, before anything changes, on the one plan that it makes."""

import json
import shutil
from pathlib import Path

import pytest

import pulumi_embedded
from mlstrata.cli import deploy
from mlstrata.cli.main import main
from mlstrata.operations import deploy as operation
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.policy_gate import Refused
from mlstrata.operations.reporting import SILENT
from tests.support.command import copy_exemptions
from tests.support.company_policy import COST_CENTRE

ROOT = Path(__file__).parents[3]
ENGINE = {".pulumi/engine/mlstrata.local.flock", ".pulumi/.gitignore"}
PORTS = "target: {kind: local, ports: {gateway: 0, mlflow: 0, prometheus: 0, alertmanager: 0, runner: 0}}"


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    (tmp_path / "environments").mkdir()
    text = (ROOT / "environments/local.yaml").read_text()
    lines = [PORTS if line.startswith("target:") else line for line in text.splitlines()]
    (tmp_path / "environments/local.yaml").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    return tmp_path


@pytest.fixture
def applied(monkeypatch):
    """Counts how often the program runs to plan and to apply; applying itself is left out."""
    from pulumi_embedded import operations

    calls = []
    plan = operations._plan

    def planning(*given, **named):
        calls.append("plan")
        return plan(*given, **named)

    monkeypatch.setattr(operations, "_plan", planning)
    monkeypatch.setattr(operations, "_apply", lambda *_: calls.append("apply") or pulumi_embedded.Result((), {}))
    return calls


def declare(workspace, old, new):
    file = workspace / "environments/local.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def files(workspace):
    """Every file but the engine's own lock, which is empty, and what keeps it from git."""
    return {str(path.relative_to(workspace)) for path in workspace.rglob("*") if path.is_file()} - ENGINE


def test_what_is_blocked_is_refused_and_nothing_is_left(workspace, capsys):
    declare(workspace, "stage: mature", "enforce: now\nstage: mature")
    before = files(workspace)
    assert main(["up", "local", "--yes"]) == 1
    said = capsys.readouterr().err
    assert "nothing was changed" in said
    assert "FAIL aia-fria-present" in said
    assert "local.yaml:" in said
    assert "fix: " in said
    assert "WARN" not in said, "only what stops it is told"
    assert files(workspace) == before
    assert not (workspace / ".mlstrata").exists()


def test_for_machines_the_refusal_is_a_document(workspace, capsys):
    declare(workspace, "stage: mature", "enforce: now\nstage: mature")
    assert main(["up", "local", "--yes", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["refused"]
    assert {one["policy"] for one in document["policies"]["blocking"]} >= {"aia-fria-present", "aia-ifu-published"}


def test_an_expired_exemption_refuses_too(workspace, capsys):
    (workspace / "policies").mkdir()
    text = (ROOT / "policies/exemptions.yaml").read_text().replace("2027-05-31", "2026-01-31")
    (workspace / "policies/exemptions.yaml").write_text(text)
    assert main(["up", "local", "--yes"]) == 1
    assert "expired on 2026-01-31" in capsys.readouterr().err


def test_malformed_exemptions_are_the_users_mistake(workspace, capsys):
    (workspace / "policies").mkdir()
    shutil.copy(ROOT / "policies/exemptions.yaml", workspace / "policies")
    declare_in = workspace / "policies/exemptions.yaml"
    declare_in.write_text(declare_in.read_text().replace("aia-incident-route", "aia-nothing"))
    before = files(workspace)
    assert main(["up", "local", "--yes"]) == 2
    assert "aia-nothing" in capsys.readouterr().err
    assert files(workspace) == before


def test_a_policy_of_the_workspace_refuses_like_ours(workspace, applied, capsys):
    copy_exemptions(workspace)
    (workspace / "policies/cost.py").write_text(COST_CENTRE)
    assert main(["up", "local", "--yes"]) == 1
    said = capsys.readouterr().err
    assert "FAIL org-cost-centre" in said
    assert "fix: set cost_centre" in said
    assert applied == ["plan"]
    (workspace / "policies/cost.py").write_text(COST_CENTRE.replace("def check(", "def check"))
    assert main(["up", "local", "--yes"]) == 2
    assert "policies/cost.py:6: cannot be loaded: SyntaxError" in capsys.readouterr().err


def test_an_article_5_system_is_refused_by_the_program_itself(workspace, capsys):
    declare(workspace, "tier: high", "tier: unacceptable")
    assert main(["up", "local", "--yes"]) == 2
    assert "Article 5" in capsys.readouterr().err
    assert not (workspace / ".pulumi/stacks/mlstrata/local.json").exists()


def test_what_passes_goes_on_with_one_plan(workspace, applied, monkeypatch):
    copy_exemptions(workspace)
    monkeypatch.setattr(deploy, "_show_up", lambda *_: None)
    assert main(["up", "local", "--yes"]) == 0
    assert applied == ["plan", "apply"]


def test_a_refusal_ends_between_plan_and_apply(workspace, applied):
    declare(workspace, "stage: mature", "enforce: now\nstage: mature")
    with pytest.raises(Refused) as refused:
        operation.up(Deployment.open("local"), SILENT)
    assert applied == ["plan"]
    assert not refused.value.report.passed
