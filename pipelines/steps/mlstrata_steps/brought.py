"""In place of training: take a model that was trained elsewhere, as the file that its hash names."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata_steps.columns import Columns
from mlstrata_steps.estimator import load
from mlstrata_steps.foreign.match import in_words, matched
from mlstrata_steps.foreign.model import SUFFIX, save
from mlstrata_steps.outcome import Check, StepError, report_of
from mlstrata_steps.own_store import is_pickle
from mlstrata_steps.package import file_hash
from mlstrata_steps.tables import read_table
from mlstrata_steps.tasks import Task, task_of
from mlstrata_steps.tasks.base import CLASSIFIER

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Brought:
    """A model from elsewhere.

    Attributes:
        features: The columns that it takes.
        answers: What the answers of the rows that it is judged on come to (`tasks.Task.answers`): it must beat saying
            that of everyone.
        matched: How its inputs and outputs were matched, in words; empty: it says itself which columns it takes.
    """

    features: tuple[str, ...]
    answers: Mapping[str, object]
    matched: str = ""


def bring(file: str, digest: str, data: str, target: str, columns: Mapping[str, object]) -> Brought:
    """Copy a model to where the steps read it.

    Args:
        file: Its skops or ONNX file.
        digest: `package.file_hash` of it when it was fetched.
        data: The rows that it will be judged on.
        target: Where it is copied to.
        columns: The roles of the columns (`Columns`).

    Raises:
        StepError: It is another file now, has types that are not trusted, gives no probabilities, does not say which
            columns it takes, or takes some that the rows have not or that no model may see; of an ONNX file with its
            names and shapes (`foreign.match`).
    """
    if (found := file_hash(file)) != digest:
        raise StepError(f"model: {file!r} has changed since it was fetched: got {found}, expected {digest}")
    roles, table = Columns.parse(columns), read_table(data)
    task = task_of(roles, table)
    model, how = _onnx(file, target, table, roles, task) if file.endswith(SUFFIX) else (_skops(file, target, task), "")
    names = tuple(str(name) for name in model.feature_names_in_)
    if missing := [name for name in names if name not in table.columns]:
        raise StepError(
            f"model: takes {', '.join(missing[:5])}, which the data has not; it has {', '.join(table.columns)}"
        )
    hidden = {roles.target, *roles.protected, *roles.exclude}
    if seen := [name for name in names if name in hidden]:
        raise StepError(f"model: takes {', '.join(seen[:5])}, which is the target, protected or excluded in the file")
    return Brought(names, task.answers(task.labels(table[roles.target])), how)


def _onnx(file: str, target: str, table: pd.DataFrame, roles: Columns, task: Task) -> tuple[Any, str]:
    model = matched(Path(file).read_bytes(), table, roles, task)
    save(model, target)
    return model, in_words(model)


def _skops(file: str, target: str, task: Task) -> Any:
    if is_pickle(file):
        raise StepError(f"model: {file!r} is a pickle, which runs code when it is read; store it in skops' format")
    shutil.copyfile(file, target)
    model, asked = load(target), "predict_proba" if task.learns == CLASSIFIER else "predict"
    if not len(getattr(model, "feature_names_in_", ())) or not hasattr(model, asked):
        wants = f"an estimator of scikit-learn's shape, with {asked}, that was fitted on a data frame"
        raise StepError(f"model: got {type(model).__name__}; allowed {wants}, so that it says which columns it takes")
    return model


def not_asked() -> dict[str, object]:
    """Say of the search for leaked labels that it has nothing to look at: it needs the rows that a model learnt of."""
    said = "not applicable: it was trained elsewhere, and its training rows are not known"
    return report_of([Check("training rows", False, said, warns=True)], headline=said)
