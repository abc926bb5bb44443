"""A gate lets a model pass exactly when its number is within the limit, and says the number when not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata_steps import StepError, StepRefused
from mlstrata_steps.gates import gate, judge
from mlstrata_steps.outcome import MARKER, Check, report_of, reporting
from mlstrata_steps.versioning import code_version, fingerprint, settings_hash


def evaluation(auc: float = 0.8, **check):
    fine = {"name": "plausible", "passed": True, "detail": "fine", "warns": False}
    return {"metrics": {"auc": {"value": auc, "low": auc - 0.1, "high": auc + 0.1}}, "checks": [{**fine, **check}]}


@given(st.floats(0, 1), st.floats(0, 1))
def test_limits(auc, limit):
    passed = {
        word: judge(evaluation(auc), [{"metric": "auc", word: limit}])[-1].passed for word in ("at_least", "at_most")
    }
    assert passed == {"at_least": auc >= limit, "at_most": auc <= limit}


def test_a_failed_gate_says_measured_and_asked():
    with pytest.raises(StepRefused, match=r"auc: 0\.800 \(0\.700 to 0\.900\), at least 0\.9 asked for"):
        gate(evaluation(), [{"metric": "auc", "at_least": 0.9}])


def test_a_failed_check_of_the_evaluation_refuses_too():
    with pytest.raises(StepRefused, match="plausible: bad"):
        gate(evaluation(passed=False, detail="bad"), [])


def test_a_business_kpi_is_listed_and_gates_nothing():
    found = gate(evaluation(), [{"metric": "minutes_saved", "at_least": 6, "source": "review-queue"}])
    assert found["checks"][-1]["detail"] == "measured after release, from review-queue"


def report(passed=True, **more):
    check = Check("afam", passed, "differs by 0.2", **more)
    return {"fairness": report_of([check], {"fairness_afam": 0.2, "none": None}, headline="afam 0.2")}


def test_the_reports_of_other_gates_are_kept_with_their_names():
    found = gate(evaluation(), [{"metric": "auc", "at_least": 0.7}], report())
    assert [check["name"] for check in found["checks"]] == ["fairness: afam", "plausible", "auc"]
    assert found["numbers"] == {"fairness_afam": 0.2}
    assert found["headlines"]["fairness"] == "afam 0.2"
    assert "auc: 0.800 (0.700 to 0.900), at least 0.7 asked for" in found["headlines"]["gates"]


def test_a_report_that_refuses_stops_the_run_here_too():
    with pytest.raises(StepRefused, match=r"fairness: afam: differs by 0\.2"):
        gate(evaluation(), [], report(passed=False))
    assert gate(evaluation(), [], report(passed=False, warns=True))["passed"] is True


@pytest.mark.parametrize(
    ("kpi", "says"),
    [
        ({"metric": "f1", "at_least": 0.5}, "got metric 'f1'; evaluation measures auc"),
        ({"metric": "auc"}, "exactly one of"),
        ({"metric": "auc", "at_least": 0.1, "at_most": 0.9}, "exactly one of"),
    ],
)
def test_bad_kpis(kpi, says):
    with pytest.raises(StepError, match=says):
        judge(evaluation(), [kpi])


@pytest.mark.parametrize(
    ("error", "kind"), [(StepRefused(["a: 1", "b: 2"]), "refused"), (StepError("no file"), "error")]
)
def test_a_step_s_end_is_one_marked_line(capsys, error, kind):
    with pytest.raises(SystemExit) as ended, reporting("gates"):
        raise error
    assert ended.value.code == 1
    out = capsys.readouterr().out
    assert out.startswith(MARKER)
    assert f'"kind": "{kind}"' in out
    assert out.count("\n") == 1


def test_faults_of_a_step_keep_their_traceback():
    with pytest.raises(ZeroDivisionError), reporting("gates"):
        raise ZeroDivisionError


def test_a_fingerprint_names_settings_and_data():
    recipe = {"a": 1, "b": {"c": [1.5]}}
    marks = {
        fingerprint(recipe, "sha256:1"),
        fingerprint(recipe, "sha256:2"),
        fingerprint({**recipe, "a": 2}, "sha256:1"),
        fingerprint({**recipe, "b": {"c": [1.5, 2]}}, "sha256:1"),
    }
    assert len(marks) == 4
    assert settings_hash({"b": {"c": [1.5]}, "a": 1}) == settings_hash(recipe)
    assert code_version().startswith("0.2.0+")


def test_steps_import_only_the_standard_library():
    """Reading a step's signature must not cost the import of pandas."""
    import ast
    import sys
    from pathlib import Path

    import mlstrata_steps

    # Parts of fitted models are classes of scikit-learn's; they are imported where one is made or loaded.
    fitted = {"prose", "scaled"}
    for path in Path(mlstrata_steps.__file__).parent.glob("*.py"):
        if path.stem in fitted:
            continue
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            roots = {name.partition(".")[0] for name in names}
            assert roots <= {*sys.stdlib_module_names, "mlstrata_steps"}, f"{path.name} imports {roots}"
            brought = {f"mlstrata_steps.{one}" for one in fitted} & {*names}
            assert not brought, f"{path.name} imports {brought}, and scikit-learn with it"


def test_later_gates_join_in_the_pipelines_order_whatever_order_came():
    from mlstrata_steps.gates import joined

    early = report_of([Check("x", True, "fine")], {"n": 1.0}, headlines={"gates": "b", "privacy": "a"})
    late = report_of([Check("y", False, "worse", warns=True)], {"m": 2.0}, headline="c")
    found = joined(early, {"compare": late})
    assert list(found["headlines"].items()) == [("privacy", "a"), ("gates", "b"), ("compare", "c")]
    assert found["numbers"] == {"n": 1.0, "m": 2.0}
    assert [check["name"] for check in found["checks"]] == ["x", "compare: y"]
    assert found["passed"] is True
    assert joined(early, {"served": report_of([Check("z", False, "no")], {}, headline="d")})["passed"] is False
