"""Step 2: is this the data we think it is, and is it fit to train on?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from mlstrata_steps.columns import Columns, dated
from mlstrata_steps.estimator import CATEGORIES as TOLD_APART
from mlstrata_steps.names import no_column
from mlstrata_steps.notation import COLUMN, looks_like
from mlstrata_steps.outcome import Check, StepError
from mlstrata_steps.pictures import PictureError, picture_of
from mlstrata_steps.rules import parsed
from mlstrata_steps.tables import KINDS, kind_of, read_table
from mlstrata_steps.tasks import task_of

if TYPE_CHECKING:
    import pandas as pd

CATEGORIES = 20
"""Distinct texts up to which a report shows some: more may be names or notes, and a report holds no such value."""


@dataclass(frozen=True)
class ColumnRule:
    """What one column must look like.

    Attributes:
        kind: One of `tables.KINDS`; None leaves it open.
        at_least: Smallest allowed value.
        at_most: Largest allowed value.
        allowed: Allowed values, compared as text; empty leaves them open.
        nulls: Allowed share of missing values, 0 to 1; None takes the table's.
    """

    kind: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    allowed: tuple[str, ...] = ()
    nulls: float | None = None


@dataclass(frozen=True)
class QualityRules:
    """Limits of the data-quality checks; shares are between 0 and 1.

    Attributes:
        min_rows: Fewest rows worth training on; with fewer, an interval of the AUC spans everything.
        min_class_rows: Fewest rows of the rarest class, so that the test part holds some tens of them.
        min_class_share: Smallest share of the rarest class.
        max_nulls: Largest share of missing values in a column.
        max_duplicates: Largest share of rows that repeat another.
        columns: Rules by column name.
    """

    min_rows: int = 500
    min_class_rows: int = 50
    min_class_share: float = 0.01
    max_nulls: float = 0.2
    max_duplicates: float = 0.1
    columns: Mapping[str, ColumnRule] = field(default_factory=dict)

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> QualityRules:
        """Read rules from plain JSON values.

        Raises:
            StepError: A rule is unknown or of the wrong type, or a column's kind is unknown.
        """
        rules = parsed(cls, "quality", document)
        columns: dict[str, ColumnRule] = {}
        for name, declared in rules.columns.items():
            at = f"quality.columns.{name}"
            if not isinstance(declared, Mapping):
                raise StepError(f"{at}: got {declared!r}; allowed a mapping of rules")
            rule = columns[name] = parsed(ColumnRule, at, declared)
            if rule.kind is not None and rule.kind not in KINDS:
                raise StepError(f"{at}.kind: got {rule.kind!r}; allowed {', '.join(KINDS)}")
        return replace(rules, columns=columns)


def check_quality(path: str, columns: Mapping[str, object], rules: Mapping[str, object]) -> dict[str, object]:
    """Check a snapshot against its rules.

    Args:
        path: A table that `ingest` wrote.
        columns: The roles of the columns (`Columns`).
        rules: The limits (`QualityRules`).

    Returns:
        A report: `passed`, `rows`, `checks` (name, passed, detail, warns) and a `profile` by column.

    Raises:
        StepError: A role or rule is malformed.
    """
    table = read_table(path)
    roles, limits = Columns.parse(columns), QualityRules.parse(rules)
    checks = [*_schema(table, roles, limits), *_shape(table, roles, limits)]
    seen = roles.seen(list(table.columns))
    for name in table.columns:
        rule = limits.columns.get(name, ColumnRule())
        checks += _column(table[name], rule, limits)
        if name in roles.texts:
            checks += _prose(table[name], roles.text_length)
        elif name in roles.images:
            checks += _pictures(table[name], roles.image_bytes)
        elif name in {*seen, *roles.targets}:
            checks += _notation(table[name], rule, target=name in roles.targets)
    return {
        "passed": not any(check.refuses for check in checks),
        "rows": len(table),
        "checks": [asdict(check) for check in checks],
        "profile": {name: _profile(table[name]) for name in table.columns},
    }


def _schema(table: pd.DataFrame, roles: Columns, limits: QualityRules) -> list[Check]:
    names = list(table.columns)
    missing = roles.missing(names) + [name for name in limits.columns if name not in names]
    hints = "".join(f"; {no_column(name, names)}" for name in missing)
    detail = f"missing {', '.join(missing)}{hints}" if missing else f"{len(names)} columns"
    checks = [Check("columns present", not missing, detail)]
    # A name that matches nothing leaves in what somebody wanted out.
    checks += [Check("columns excluded", False, no_column(name, names)) for name in roles.exclude if name not in names]
    seen = roles.seen(names)
    checks.append(Check("features", bool(seen), ", ".join(seen) or "no column is left for the model to see"))
    constant = [name for name in seen if table[name].nunique(dropna=False) == 1]
    if constant:
        checks.append(Check("features vary", False, f"{', '.join(constant)} never changes", warns=True))
    return checks


def _shape(table: pd.DataFrame, roles: Columns, limits: QualityRules) -> list[Check]:
    rows, repeated = len(table), float(table.duplicated().mean())
    checks = [
        Check("rows", rows >= limits.min_rows, f"{rows} rows, at least {limits.min_rows} needed"),
        Check(
            "duplicates",
            repeated <= limits.max_duplicates,
            f"{repeated:.1%} of rows repeat another, at most {limits.max_duplicates:.1%} allowed",
        ),
    ]
    for one in [roles.of(name) for name in roles.names] or [roles]:
        if one.target in table.columns:
            found = task_of(one, table).target(table[one.target], limits)
            checks += [replace(check, name=f"{one.output}: {check.name}") if one.output else check for check in found]
    return checks


def _prose(column: pd.Series[object], longest: int) -> list[Check]:
    """Check that a column is free text that a request could hold."""
    name, kind, known = f"column {column.name}", kind_of(column), column.dropna()
    if kind != "string":
        return [Check(f"{name} text", False, f"holds {kind} values, and model.texts names it; remove it from there")]
    lengths = known.str.len()
    over, most = int((lengths > longest).sum()), int(lengths.max()) if len(known) else 0
    fix = f"; raise model.text_length above {longest}, or shorten them in the source" if over else ""
    detail = f"{most:,} characters at most, {over} rows above {longest:,}{fix}"
    return [Check(f"{name} length", not over, detail)]


def _pictures(column: pd.Series[object], most: int) -> list[Check]:
    """Check that a column holds images that a request could hold."""
    name, kind, known = f"column {column.name}", kind_of(column), column.dropna()
    if kind != "string":
        return [Check(f"{name} images", False, f"holds {kind} values, and model.images names it; remove it from there")]
    problems = Counter[str]()
    for cell in known:
        try:
            picture_of(str(cell), most)
        except PictureError as error:
            problems[str(error)] += 1
    wrong = "; ".join(f"{rows} row{'s' if rows > 1 else ''}: {why}" for why, rows in problems.most_common(3))
    return [Check(f"{name} images", not problems, wrong or f"{len(known)} images of at most {most:,} bytes")]


def _notation(column: pd.Series[object], rule: ColumnRule, *, target: bool) -> list[Check]:
    """Name a feature that is trained on as something else than what it looks like."""
    name, kind = str(column.name), kind_of(column)
    if kind in {"date", "time"} and not target:
        return [Check(f"column {name} dates", False, dated(name, column).removeprefix(f"column {name} "))]
    if kind != "string":
        return []
    counted = {str(value): int(rows) for value, rows in column.dropna().value_counts().items()}
    checks = []
    if rule.kind != "string" and (found := looks_like(counted)):
        text = f"if it is text, write settings: {{quality: {{columns: {{{name}: {{kind: string}}}}}}}}"
        checks.append(Check(f"column {name} notation", False, f"{found.replace(COLUMN, name)}; {text}"))
    if not checks and len(counted) > TOLD_APART and not target:
        most = f"the {TOLD_APART - 1} most frequent ones are told apart, all others are one"
        fix = "group them in the source, or exclude it"
        checks.append(Check(f"column {name} values", False, f"{len(counted):,} values; {most}; {fix}", warns=True))
    return checks


def _column(column: pd.Series[object], rule: ColumnRule, limits: QualityRules) -> list[Check]:
    import numpy as np

    name, kind = f"column {column.name}", kind_of(column)
    gaps, allowed = float(column.isna().mean()), limits.max_nulls if rule.nulls is None else rule.nulls
    checks = [Check(f"{name} nulls", gaps <= allowed, f"{gaps:.1%} missing, at most {allowed:.1%} allowed")]
    if rule.kind is not None:
        fits = kind == rule.kind or (rule.kind == "number" and kind == "integer")
        checks.append(Check(f"{name} kind", fits, f"{kind}, expected {rule.kind}"))
    known = column.dropna()
    if kind in {"integer", "number"} and len(known):
        values = known.to_numpy(dtype="float64")
        if not np.isfinite(values).all():
            checks.append(Check(f"{name} finite", False, "holds an infinite value"))
        low = -np.inf if rule.at_least is None else rule.at_least
        high = np.inf if rule.at_most is None else rule.at_most
        outside = int(((values < low) | (values > high)).sum())
        if rule.at_least is not None or rule.at_most is not None:
            detail = f"{values.min():g} to {values.max():g}, {outside} rows outside {low:g} to {high:g}"
            checks.append(Check(f"{name} range", outside == 0, detail))
    if rule.allowed:
        strange = sorted(set(known.astype("string")) - set(rule.allowed))
        detail = f"holds {', '.join(strange[:5])}; allowed {', '.join(rule.allowed)}" if strange else "as allowed"
        checks.append(Check(f"{name} values", not strange, detail))
    return checks


def _profile(column: pd.Series[object]) -> dict[str, object]:
    kind = kind_of(column)
    profile: dict[str, object] = {
        "kind": kind,
        "nulls": float(column.isna().mean()),
        "distinct": int(column.nunique()),
    }
    known = column.dropna()
    if kind in {"integer", "number"} and len(known):
        values = known.to_numpy(dtype="float64")
        profile |= {"min": float(values.min()), "max": float(values.max()), "mean": float(values.mean())}
    elif profile["distinct"] <= CATEGORIES:  # type: ignore[operator]
        profile["top"] = {str(value): int(count) for value, count in known.value_counts().head(5).items()}
    return profile
