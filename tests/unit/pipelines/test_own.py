"""A pipeline of somebody's own: found, compiled, given what it takes; what is not there is refused before a run."""

import re
from pathlib import Path

import pytest
import yaml

from mlstrata.environments import SpecErrors, Workspace, loads
from mlstrata.environments.guests import code_version, missing
from mlstrata.environments.spec.model import ModelSpec

FILE = """\
name: local
target: {{kind: local}}
stage: foundation
systems:
  - name: churn
    purpose: Say which customers are about to leave.
    owner: team@example.com
    risk: {{tier: minimal}}
    data: [{{name: calls, source: data/calls.csv, classification: internal}}]
    model: {{modality: tabular, data: calls, target: left, pipeline: {pipeline}}}
"""
PIPELINE = """\
from kfp import dsl

from mlstrata.pipelines.training import training_pipeline
from rounding import rounded

def with_rounding(gpus: int = 0):
    return training_pipeline(gpus, name="rounding", prepare=rounded)

@dsl.component(base_image="x")
def alone(surprise: str) -> str:
    return surprise

@dsl.pipeline(name="asks-too-much")
def asks(surprise: str, systen: str) -> str:
    return alone(surprise=surprise).output

NUMBER = 3
"""
STEP = """\
from kfp import dsl

@dsl.component(base_image="x")
def rounded(data: dsl.Input[dsl.Dataset], prepared: dsl.Output[dsl.Dataset]):
    import pandas
    pandas.read_parquet(data.path).round(1).to_parquet(prepared.path)
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines/churn.py").write_text(PIPELINE)
    (tmp_path / "pipelines/rounding.py").write_text(STEP)
    return Workspace(tmp_path)


def refusals(pipeline: str, workspace: Workspace) -> list[str]:
    return list(missing(loads(FILE.format(pipeline=pipeline).encode(), "local.yaml", "local").spec, workspace))


def test_its_own_step_stands_between_reading_and_judging(workspace: Workspace, tmp_path: Path) -> None:
    from mlstrata.pipelines.compile import compile_pipeline

    found = compile_pipeline("churn:with_rounding", tmp_path / "ir.yaml", workspace=workspace)
    tasks = yaml.safe_load(found.read_text())["root"]["dag"]["tasks"]
    source = {name: one["inputs"]["artifacts"]["data"]["taskOutputArtifact"] for name, one in tasks.items()
              if "data" in one["inputs"].get("artifacts", {})}  # fmt: skip
    assert source["rounded"]["producerTask"] == "ingest"
    assert {source[name]["producerTask"] for name in ("privacy", "quality", "split")} == {"rounded"}
    assert source["register"]["producerTask"] == "ingest", "the version is that of the data as they were read"


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        ("chrun:with_rounding", "did you mean 'churn'?"),
        ("churn:with_roundin", "did you mean 'with_rounding'?"),
    ],
)
def test_what_the_workspace_lacks_is_refused_with_the_nearest(pipeline: str, said: str, workspace: Workspace) -> None:
    (found,) = refusals(pipeline, workspace)
    assert re.match(r"systems\[0\]\.model\.pipeline: got .*; allowed ", found)
    assert found.endswith(said)
    assert refusals("churn:with_rounding", workspace) == []


def test_a_name_that_nothing_brings_is_refused_with_its_line() -> None:
    with pytest.raises(SpecErrors, match=r"local.yaml:10: systems\[0\].model.pipeline.*did you mean 'training'"):
        loads(FILE.format(pipeline="trainig").encode(), "local.yaml", "local")


def test_what_does_not_parse_is_said(workspace: Workspace) -> None:
    (workspace.root / "pipelines/churn.py").write_text("def (")
    (found,) = refusals("churn:x", workspace)
    assert "churn.py is no Python" in found


@pytest.mark.parametrize(("name", "said"), [("churn:NUMBER", "NUMBER is int; allowed a pipeline"), ("no:x", "no")])
def test_what_is_no_pipeline_does_not_compile(name: str, said: str, workspace: Workspace, tmp_path: Path) -> None:
    from mlstrata.pipelines.compile import PipelineError, compile_pipeline
    from mlstrata_steps import StepError

    with pytest.raises((PipelineError, StepError), match=said):
        compile_pipeline(name, tmp_path / "ir.yaml", workspace=workspace)


def test_it_is_given_what_it_takes_and_refused_what_no_run_has(workspace: Workspace, tmp_path: Path) -> None:
    from mlstrata.pipelines.compile import PipelineError, compile_pipeline, inputs

    ir = yaml.safe_load(compile_pipeline("churn:asks", tmp_path / "ir.yaml", workspace=workspace).read_text())
    with pytest.raises(PipelineError, match=r"asks-too-much: needs the input 'systen', .*did you mean 'system'"):
        inputs(ir, {"system": "churn", "surprise": "no"})
    assert inputs(ir, {"surprise": "no", "systen": "", "seed": 1}) == {"surprise": "no", "systen": ""}


def test_another_version_of_its_code_is_another_recipe(workspace: Workspace) -> None:
    model = ModelSpec(modality="tabular", pipeline="churn:with_rounding")
    before = code_version(model, workspace)
    assert before
    (workspace.root / "pipelines/rounding.py").write_text(STEP.replace("round(1)", "round(2)"))
    assert code_version(model, workspace) not in ("", before)
    assert code_version(ModelSpec(modality="tabular"), workspace) == ""
