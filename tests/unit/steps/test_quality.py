"""Each check refuses the data that it is there for, in words that say what and where."""

import numpy as np
import pandas as pd
import pytest

from mlstrata_steps import StepError, StepRefused
from mlstrata_steps.outcome import require
from mlstrata_steps.quality import check_quality
from mlstrata_steps.tables import canonical, write_table

COLUMNS = {"target": "y", "positive": "yes", "protected": ["group"], "exclude": ["id"]}


def good(rows: int = 600) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": range(rows),
            "x": random.normal(size=rows).clip(-3, 3),
            "n": random.integers(0, 9, rows),
            "group": random.choice(["a", "b"], rows),
            "y": random.choice(["yes", "no"], rows, p=[0.3, 0.7]),
        }
    )


def report(tmp_path, table, rules=None, columns=None):
    write_table(canonical(table), str(tmp_path / "t.parquet"))
    return check_quality(str(tmp_path / "t.parquet"), columns or COLUMNS, rules or {})


def refusals(found):
    with pytest.raises(StepRefused) as refused:
        require(found)
    assert found["passed"] is False
    return refused.value.reasons


def test_good_data_passes_and_is_profiled(tmp_path):
    found = report(tmp_path, good(), {"columns": {"x": {"kind": "number", "at_least": -3, "at_most": 3}}})
    require(found)
    assert found["passed"] is True
    assert found["rows"] == 600
    assert found["profile"]["n"]["kind"] == "integer"
    assert set(found["profile"]["group"]["top"]) == {"a", "b"}


def test_a_profile_shows_categories_and_no_texts_of_people(tmp_path):
    table = good().assign(who=[f"Person {n}" for n in range(600)])
    profile = report(tmp_path, table)["profile"]
    assert "top" in profile["group"]
    assert "top" not in profile["who"]
    assert profile["who"]["distinct"] == 600


def of(column, **rule):
    return {"columns": {column: rule}}


BAD = [
    ("too few rows", lambda t: t.head(100), {}, "rows: 100 rows, at least 500 needed"),
    ("a column is gone", lambda t: t.drop(columns="group"), {}, "columns present: missing group"),
    ("a ruled column is gone", lambda t: t.drop(columns="x"), of("x"), "columns present: missing x"),
    ("the target is gone", lambda t: t.drop(columns="y"), {}, "columns present: missing y"),
    ("missing values", lambda t: t.assign(x=t.x.where(t.index % 2 == 0)), {}, "column x nulls: 50.0% missing"),
    ("repeated rows", lambda t: pd.concat([t, t.head(200)]), {}, "duplicates: 25.0% of rows repeat another"),
    ("three classes", lambda t: t.assign(y=t.y.where(t.index > 3, "maybe")), {}, "target: y holds maybe, no, yes"),
    ("a target with gaps", lambda t: t.assign(y=t.y.where(t.index > 3)), {}, "target: y holds no, yes"),
    ("a rare class", lambda t: t.assign(y=np.where(t.index < 20, "yes", "no")), {}, "the rarer class has 20 rows"),
    ("out of range", lambda t: t.assign(x=t.x.where(t.index != 7, 99)), of("x", at_most=3), "column x range"),
    ("another kind", lambda t: t.assign(n="many"), of("n", kind="integer"), "column n kind: string"),
    ("unknown value", lambda t: t.replace("b", "c"), of("group", allowed=["a", "b"]), "group values: holds c"),
    ("infinite", lambda t: t.assign(x=t.x.where(t.index > 0, np.inf)), {}, "column x finite"),
    ("nothing to learn from", lambda t: t[["id", "group", "y"]], {}, "features: no column is left"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "rules", "says"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_data_is_refused(tmp_path, damage, rules, says):
    reasons = refusals(report(tmp_path, damage(good()), rules))
    assert any(says in reason for reason in reasons), reasons


def test_all_reasons_come_at_once(tmp_path):
    assert len(refusals(report(tmp_path, good().head(90).drop(columns="group")))) >= 2


def test_warnings_refuse_nothing(tmp_path):
    found = report(tmp_path, good().assign(same=1), columns={**COLUMNS, "exclude": ["id", "ghost"]})
    require(found)
    warned = {check["name"]: check["detail"] for check in found["checks"] if not check["passed"]}
    assert warned == {"columns excluded": "the data has no ghost", "features vary": "same never changes"}


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"min_row": 3}, "min_row"),
        ({"columns": {"x": {"kind": "float"}}}, "quality.columns.x.kind: got 'float'; allowed integer"),
        ({"columns": {"x": {"max": 3}}}, "max"),
        ({"columns": ["x"]}, r"quality\.columns: got .*allowed a mapping"),
    ],
)
def test_bad_rules(tmp_path, rules, says):
    with pytest.raises(StepError, match=says):
        report(tmp_path, good(), rules)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"positive": "yes"}, "columns.target"),
        ({**COLUMNS, "label": "y"}, "unknown role 'label'"),
        ({**COLUMNS, "features": ["group"]}, "'group' is the target, protected or excluded"),
        ({**COLUMNS, "exclude": "id"}, "list of names"),
    ],
)
def test_bad_roles(tmp_path, columns, says):
    with pytest.raises(StepError, match=says):
        report(tmp_path, good(), columns=columns)
