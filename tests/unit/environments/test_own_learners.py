"""An estimator by its import path: looked up in what is installed, its hyperparameters too, and nothing is imported."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from mlstrata.environments import SpecErrors, Workspace, loads
from mlstrata.environments.guests import code_version, metric_versions, missing
from mlstrata.environments.spec.model import ModelSpec
from mlstrata.environments.spec.sources import installed, parameters
from mlstrata.environments.spec.system import SystemSpec

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
    model: {{modality: tabular, data: calls, target: left, algorithm: {algorithm}, settings: {{parameters: {given}}}}}
"""


def refusals(root: Path, algorithm: str, given: str = "{}") -> list[str]:
    spec = loads(FILE.format(algorithm=algorithm, given=given).encode(), "local.yaml", "local").spec
    return list(missing(spec, Workspace(root)))


@pytest.mark.parametrize("path", ["sklearn.ensemble.GradientBoostingClassifier", "sklearn.svm:SVC"])
def test_an_installed_estimator_is_taken(path: str, tmp_path: Path) -> None:
    assert refusals(tmp_path, path) == []


@pytest.mark.parametrize(
    ("algorithm", "given", "said"),
    [
        ("sklearn.ensemble.GradientBostingClassifier", "{}", "did you mean 'GradientBoostingClassifier'?"),
        ("sklearn.ensembel.GradientBoostingClassifier", "{}", "or one that is installed"),
        ("sklearn.ensemble:GradientBoostingClassifier", "{max_dept: 3}", "did you mean 'max_depth'?"),
        ("hist_gradient_boosting", "{max_leaf_node: 3}", "did you mean 'max_leaf_nodes'?"),
    ],
)
def test_what_it_has_not_is_refused_with_the_nearest_name(
    algorithm: str, given: str, said: str, tmp_path: Path
) -> None:
    (problem,) = refusals(tmp_path, algorithm, given)
    assert problem.startswith("systems[0].model.")
    assert problem.endswith(said) or said in problem


def test_a_pipeline_has_no_path_of_points(tmp_path: Path) -> None:
    text = FILE.format(algorithm="random_forest", given="{}").replace("target: left", "target: left, pipeline: a.b")
    with pytest.raises(SpecErrors, match="allowed training, or MODULE:NAME"):
        loads(text.encode(), "local.yaml", "local")


def test_nothing_is_imported_for_it() -> None:
    code = (
        "import sys; from mlstrata.environments.spec.sources import parameters;"
        "assert 'max_depth' in parameters('sklearn.ensemble', 'GradientBoostingClassifier');"
        "assert not {'sklearn', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_source_that_does_not_tell_is_not_guessed_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_boost").mkdir()
    (tmp_path / "acme_boost/__init__.py").write_text(
        "try:\n    from .made import Free, Named\nexcept ImportError: ...\n"
    )
    (tmp_path / "acme_boost/made.py").write_text(
        "class Named:\n    def __init__(self, a, *, b=1): ...\n"
        "class Free(Named):\n    def __init__(self, **more): ...\nclass Bare(Named): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert installed("acme_boost.made") == tmp_path / "acme_boost/made.py"
    assert installed("acme_boost.none") is None
    assert parameters("acme_boost", "Named") == {"a", "b"} == parameters("acme_boost.made", "Bare")
    assert parameters("acme_boost", "Free") is None
    assert refusals(tmp_path, "acme_boost:Free", "{anything: 1}") == []


def test_a_training_function_is_looked_up_in_the_packages_of_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "churn").mkdir()
    (tmp_path / "churn/training.py").write_text("def train(data, context): ...\n")
    (tmp_path / "src/other").mkdir(parents=True)
    (tmp_path / "src/other/fit.py").write_text("def train(data, context): ...\n")

    def said(train: str) -> list[str]:
        text = FILE.format(algorithm="logistic_regression", given="{any: 1}").replace(
            "left,", f"left, train: '{train}',"
        )
        return list(missing(loads(text.encode(), "local.yaml", "local").spec, Workspace(tmp_path)))

    assert said("churn.training:train") == said("other.fit:train") == []
    for wrong, near in {
        "chrun.training:train": "churn",
        "churn.training:trian": "train",
        "sklearn.svm:SVC": "",
    }.items():
        (problem,) = said(wrong)
        assert problem.startswith(f"systems[0].model.train: got '{wrong}'")
        assert f"did you mean '{near}'?" in problem or not near


def test_an_own_figure_is_looked_up_in_the_packages_of_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "worth").mkdir()
    (tmp_path / "worth/value.py").write_text("def saved(truth, said, rows): ...\n")

    def said(function: str) -> list[str]:
        text = FILE.format(algorithm="logistic_regression", given="{}").replace(
            "left,", f"left, metrics: {{saved: '{function}'}},"
        )
        return list(missing(loads(text.encode(), "local.yaml", "local").spec, Workspace(tmp_path)))

    assert said("worth.value:saved") == []
    (problem,) = said("worth.value:svaed")
    assert problem.startswith("systems[0].model.metrics.saved: got ")
    assert "did you mean 'saved'?" in problem


def test_a_changed_figure_is_another_version_of_it(tmp_path: Path) -> None:
    (tmp_path / "worth").mkdir()
    (tmp_path / "worth/value.py").write_text("def saved(truth, said, rows): ...\n")
    model = ModelSpec.model_validate({"modality": "tabular", "target": "y", "metrics": {"saved": "worth.value:saved"}})
    before = metric_versions(model, Workspace(tmp_path))
    (tmp_path / "worth/value.py").write_text("def saved(truth, said, rows): return 1.0\n")
    assert before["saved"] != metric_versions(model, Workspace(tmp_path))["saved"]
    assert not code_version(model, Workspace(tmp_path)), "the model itself has no code of its own"


def test_a_version_stays_the_same_from_one_release_of_the_command_to_the_next(tmp_path: Path) -> None:
    """A version is part of a training's cache key: where its figure changed, everything would be trained again."""
    for name, content in {
        "churn/__init__.py": "",
        "churn/training.py": "def train(data, context): ...\n",
        "churn/words/good.txt": "good",
        "churn/.hidden": "not counted",
        "churn/__pycache__/training.pyc": "not counted",
        "worth/value.py": "def saved(truth, said, rows): ...\n",
        "pipelines/daily.py": "def daily(): ...\n",
        "pipelines/rounding.py": "DIGITS = 1\n",
        "learners/boost.py": "class Boost: ...\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    workspace = Workspace(tmp_path)

    def model(**given: object) -> ModelSpec:
        return ModelSpec(modality="tabular", target="y").model_copy(update=given)

    metrics = {"saved": "worth.value:saved", "lost": "worth.value:lost", "kept": "churn.training:train", "no": "no.x:y"}
    assert metric_versions(model(metrics=metrics), workspace) == {
        "saved": "1d7033965376", "lost": "1d7033965376", "kept": "252057015045", "no": ""
    }  # fmt: skip
    assert code_version(model(train="churn.training:train"), workspace) == "252057015045"
    assert code_version(model(pipeline="daily:daily"), workspace) == "e9c0db9349be"
    assert code_version(model(algorithm="boost:Boost"), workspace) == "cd8a32c64f30"
    assert code_version(model(pipeline="daily:daily", algorithm="boost:Boost"), workspace) == "c08ebec3f445"
    assert code_version(model(pipeline="daily:daily", train="churn.training:train"), workspace) == "2925499bcfc6"


def test_the_package_of_several_figures_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "worth").mkdir()
    (tmp_path / "worth/value.py").write_text("def saved(truth, said, rows): ...\n")
    metrics = {"saved": "worth.value:saved", "lost": "worth.value:lost"}
    model = ModelSpec.model_validate({"modality": "tabular", "target": "y", "metrics": metrics})
    read, reads = Path.read_bytes, list[str]()

    def counted(path: Path) -> bytes:
        reads.append(path.name)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    found = metric_versions(model, Workspace(tmp_path))
    assert found["saved"] == found["lost"] != ""
    assert reads == ["value.py"]


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"auc": "worth.value:saved"}, "has a name that evaluation gives"),
        ({"saved_low": "worth.value:saved"}, "has a name that evaluation gives"),
        ({"saved": "worth"}, "PACKAGE.MODULE:FUNCTION"),
    ],
)
def test_a_figure_has_a_name_and_a_function_of_its_own(metrics: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ModelSpec.model_validate({"modality": "tabular", "target": "y", "metrics": metrics})


def test_a_kpi_of_an_unknown_figure_is_refused_with_the_nearest() -> None:
    model = {"modality": "tabular", "target": "y", "metrics": {"minutes_saved": "worth.value:saved"}}
    system = {"name": "calls", "purpose": "Plan calls.", "risk": {"tier": "minimal"}, "model": model}
    SystemSpec.model_validate({**system, "kpis": [{"metric": "minutes_saved", "at_least": 6}]})
    with pytest.raises(ValidationError) as refused:
        SystemSpec.model_validate({**system, "kpis": [{"metric": "minutes_svaed", "at_least": 6}]})
    assert "did you mean 'minutes_saved'?" in str(refused.value.errors()[0]["ctx"])


def test_a_changed_package_is_another_version_of_the_code(tmp_path: Path) -> None:
    (tmp_path / "churn").mkdir()
    (tmp_path / "churn/training.py").write_text("def train(data, context): ...\n")
    model = ModelSpec.model_validate({"modality": "tabular", "target": "y", "train": "churn.training:train"})
    before = code_version(model, Workspace(tmp_path))
    (tmp_path / "churn/words.txt").write_text("good")
    assert "" != before != code_version(model, Workspace(tmp_path))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"algorithm": "random_forest"}, "beside train"),
        ({"source": "s3://bucket/model"}, "trained elsewhere"),
        ({"settings": {"workers": 2}}, "one process"),
        ({"train": "churn"}, "PACKAGE.MODULE:FUNCTION"),
    ],
)
def test_a_training_function_says_alone_how_it_learns(more: dict[str, object], said: str) -> None:
    given = {"modality": "tabular", "target": "y", "train": "churn.training:train", **more}
    with pytest.raises(ValidationError, match=said):
        ModelSpec.model_validate(given)


def test_a_lock_is_read_with_the_file_and_stands_for_what_is_not_installed_here(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text(f"lightgbm==4.7.0 --hash=sha256:{'0' * 64}\n")

    def said(requirements: str) -> list[str]:
        text = FILE.format(algorithm="lightgbm.LGBMClassifier", given="{n_estimators: 5}")
        text = text.replace("left,", f"left, requirements: {requirements},")
        return list(missing(loads(text.encode(), "local.yaml", "local").spec, Workspace(tmp_path)))

    assert said("own.txt") == []
    (problem,) = said("none.txt")
    assert problem.startswith("systems[0].model.requirements: ")
    assert "none.txt cannot be read: No such file" in problem


def test_on_a_cluster_own_code_and_requirements_need_an_image_by_digest(tmp_path: Path) -> None:
    (tmp_path / "churn").mkdir()
    (tmp_path / "churn/training.py").write_text("def train(data, context): ...\n")
    spec = loads(FILE.format(algorithm="random_forest", given="{}").encode(), "local.yaml", "local").spec

    def said(**more: str) -> list[str]:
        model = ModelSpec.model_validate({"modality": "tabular", "target": "y", **more})
        system = spec.systems[0].model_copy(update={"model": model})
        target = spec.target.model_copy(update={"kind": "kubernetes"})
        return list(missing(spec.model_copy(update={"systems": (system,), "target": target}), Workspace(tmp_path)))

    own = {"train": "churn.training:train"}
    (problem,) = said(**own)
    assert problem.startswith("systems[0].model.image: is missing")
    assert said(**own, image=f"registry.example.com/fraud@sha256:{'0' * 64}") == said() == []
    with pytest.raises(ValidationError):
        said(**own, image="registry.example.com/fraud:latest")
