"""The models a pipeline can train: preprocessing and classifier in one, so serving cannot do it differently."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mlstrata_steps.outcome import StepError

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import ClassifierMixin
    from sklearn.pipeline import Pipeline

ALGORITHMS = ("logistic_regression", "random_forest", "hist_gradient_boosting")

DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "logistic_regression": {"max_iter": 1000},
    # Leaves of some rows keep the probabilities of a forest away from 0 and 1.
    "random_forest": {"n_estimators": 200, "min_samples_leaf": 5, "n_jobs": 1},
    "hist_gradient_boosting": {"max_iter": 150, "learning_rate": 0.05, "early_stopping": False},
}

TRUSTED = (
    "numpy.dtype",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""Types that skops may rebuild beyond those it trusts by itself: what these estimators are made of, nothing else."""


def build(algorithm: str, parameters: Mapping[str, object], features: pd.DataFrame, *, seed: int) -> Pipeline:
    """Build an unfitted model for a table of features.

    Missing numbers become the training median, text becomes one column a value; a value never seen in training becomes
    none of them. Scaling matters to the linear model only and is left out of the trees.

    Args:
        algorithm: One of `ALGORITHMS`.
        parameters: Hyperparameters of the scikit-learn classifier, over our defaults.
        features: The training features; only names and types are read.
        seed: Of the classifier.

    Raises:
        StepError: The algorithm or a hyperparameter is unknown.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    classifier = _classifier(algorithm, parameters, seed)
    texts = [name for name in features.columns if features[name].dtype == object]
    numbers = [name for name in features.columns if name not in texts]
    numeric = make_pipeline(SimpleImputer(strategy="median"))
    if algorithm == "logistic_regression":
        numeric.steps.append(("standardscaler", StandardScaler()))
    textual = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing", missing_values=None),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
    )
    prepare = ColumnTransformer(
        [("numbers", numeric, numbers), ("texts", textual, texts)], remainder="drop", verbose_feature_names_out=False
    )
    return Pipeline([("prepare", prepare), ("classify", classifier)])


def save(model: Pipeline, path: str) -> None:
    """Write a model in skops' format: unlike a pickle, it names its types and runs no code of its own."""
    import skops.io

    skops.io.dump(model, path)


def load(path: str) -> Pipeline:
    """Read a model, rebuilding no type outside `TRUSTED` and skops' own list.

    Raises:
        StepError: The file holds another type.
    """
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops.io.load(path, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        raise StepError(f"the model {path!r} holds types that are not trusted: {error}") from error


def require_known(algorithm: str, names: Iterable[str], where: str) -> None:
    """Refuse hyperparameters that an algorithm does not have.

    Args:
        algorithm: One of `ALGORITHMS`.
        names: The hyperparameters.
        where: What they are declared under, such as `parameters`.

    Raises:
        StepError: The algorithm is unknown, or one of them is.
    """
    known = set(inspect.signature(_class_of(algorithm)).parameters) - {"random_state"}
    for name in sorted(set(names) - known):
        close = [] if name == "random_state" else difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "the seed is set by `seed`"
        raise StepError(f"{where}.{name}: {algorithm} has no such hyperparameter ({hint})")


def _classifier(algorithm: str, parameters: Mapping[str, object], seed: int) -> ClassifierMixin:
    require_known(algorithm, parameters, "parameters")
    return _class_of(algorithm)(**{**DEFAULTS[algorithm], **parameters}, random_state=seed)


def _class_of(algorithm: str) -> Callable[..., Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    classes: dict[str, Callable[..., Any]] = {
        "logistic_regression": LogisticRegression,
        "random_forest": RandomForestClassifier,
        "hist_gradient_boosting": HistGradientBoostingClassifier,
    }
    if algorithm not in classes:
        raise StepError(f"algorithm: got {algorithm!r}; allowed {', '.join(ALGORITHMS)}")
    return classes[algorithm]
