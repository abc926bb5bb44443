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
    found = report(tmp_path, good().assign(same=1))
    require(found)
    warned = {check["name"]: check["detail"] for check in found["checks"] if not check["passed"]}
    assert warned == {"features vary": "same never changes"}


@pytest.mark.parametrize(
    ("role", "name"), [("exclude", "idd"), ("exclude", "ID"), ("protected", "groups"), ("exclude", "nothing_near")]
)
def test_a_role_that_matches_no_column_is_refused_with_the_nearest_one(tmp_path, role, name):
    reasons = "; ".join(refusals(report(tmp_path, good(), columns={**COLUMNS, role: [name]})))
    near = {"idd": "did you mean 'id'", "ID": "did you mean 'id'", "groups": "did you mean 'group'"}
    assert f"the data has no column {name!r}; {near.get(name, 'it has id, x, n, group, y')}" in reasons


LOOKS = [
    ("1,25", "looks like a number written with a comma", 'write 1.25, or format: {decimal: ","}'),
    ("1.234,50", "looks like a number written with a comma", 'format: {decimal: ",", thousands: "."}'),
    ("12,345", "looks like a number with a comma for thousands", 'format: {thousands: ","}'),
    ("12 345.5", "looks like a number with marks for thousands", 'format: {thousands: " "}'),
    ("12.5 %", "looks like a percentage", "write 12.5 in a column that says per cent"),
    ("EUR 12.50", "looks like an amount with its currency", "write the number alone"),
    ("12.5", "is a number kept as text", "declare format: {kinds: {odd: number}}"),
    ("28.09.2025", "looks like a date in another notation", 'format: {dates: "%d.%m.%Y"}'),
    ("09/28/25", "looks like a date in another notation", 'format: {dates: "%m/%d/%y"}'),
    ("2025/09/28 10:30", "looks like a date in another notation", 'format: {dates: "%Y/%m/%d %H:%M"}'),
]


@pytest.mark.parametrize(("text", "what", "fix"), LOOKS, ids=[case[0] for case in LOOKS])
def test_texts_that_look_like_something_else_are_named_with_the_fix(tmp_path, text, what, fix):
    table = good().assign(odd=text)
    (reason,) = [one for one in refusals(report(tmp_path, table)) if "odd" in one]
    assert reason.startswith(f"column odd notation: {text!r} {what}, in 600 rows; ")
    assert fix in reason
    assert report(tmp_path, table, of("odd", kind="string"))["passed"]
    assert report(tmp_path, table, columns={**COLUMNS, "exclude": ["id", "odd"]})["passed"]


@pytest.mark.parametrize(
    "texts",
    [["01067", "80331"], ["12", "14a"], ["1.2.3", "2.0"], ["A1", "7"], ["north"], ["10:30"], ["5", "6"], ["1-2", "3"]],
)
def test_codes_and_words_are_texts(tmp_path, texts):
    assert report(tmp_path, good().assign(code=[texts[at % len(texts)] for at in range(600)]))["passed"]


def test_a_word_among_numbers_is_named(tmp_path):
    odd = ["unknown" if at % 50 == 0 else str(at % 7) for at in range(600)]
    (reason,) = refusals(report(tmp_path, good().assign(odd=odd)))
    assert "'unknown' in 12 rows is no number, all others are" in reason
    assert 'format: {missing: ["unknown"]}' in reason


def test_a_feature_of_dates_is_refused_and_one_that_nothing_sees_is_not(tmp_path):
    table = good().assign(opened=pd.Timestamp("2025-09-28"))
    (reason,) = refusals(report(tmp_path, table))
    assert "column opened dates: holds dates, such as 2025-09-28, in 600 rows" in reason
    assert "model.exclude" in reason
    assert report(tmp_path, table, columns={**COLUMNS, "exclude": ["id", "opened"]})["passed"]


def test_many_values_warn(tmp_path):
    found = report(tmp_path, good().assign(town=[f"t{at % 250}x" for at in range(600)]))
    require(found)
    (warned,) = [check for check in found["checks"] if not check["passed"]]
    assert warned["detail"].startswith("250 values; the 99 most frequent ones are told apart, all others are one")


def test_a_target_says_what_it_lacks_and_not_what_it_has(tmp_path):
    gaps = good().assign(y=lambda t: t.y.where(t.index > 3))
    assert any("y is missing in 4 rows" in one for one in refusals(report(tmp_path, gaps)))
    flags = good().assign(y=lambda t: (t.y == "yes").astype("float64"))
    (reason,) = refusals(report(tmp_path, flags))
    assert reason == "target: y holds 0.0, 1.0; needed 'yes' as one of them; set model.positive to 0.0 or 1.0"
    for positive in ("1", "1.0"):
        assert report(tmp_path, flags, columns={**COLUMNS, "positive": positive})["passed"]


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
