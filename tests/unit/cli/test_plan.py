"""`mlstrata plan` of an environment that a cluster runs, without one."""

import json
import shutil
from pathlib import Path

from mlstrata.cli.main import main
from tests.support.command import copy_exemptions

ENVIRONMENTS = Path(__file__).parents[3] / "environments"


def test_charts_and_bundles_are_named_in_one_line_and_by_the_check_alike(tmp_path, monkeypatch, capsys):
    (tmp_path / "environments").mkdir()
    shutil.copy(ENVIRONMENTS / "dev.yaml", tmp_path / "environments")
    copy_exemptions(tmp_path)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    assert main(["plan", "dev"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    (line,) = [line for line in shown.out.splitlines() if line.startswith(" not inspected")]
    named = line.partition(": ")[2].split(", ")
    assert {"cert-manager", "kube-prometheus-stack", "kubeflow-pipelines-0"} <= set(named)
    assert main(["plan", "dev", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["not_inspected"] == named
    assert main(["check", "dev", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["not_inspected"] == named
