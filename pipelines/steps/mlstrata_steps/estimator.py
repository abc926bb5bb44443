"""The models a pipeline can train: preprocessing and classifier in one, so serving cannot do it differently."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata_steps import own_store
from mlstrata_steps.columns import texts
from mlstrata_steps.foreign import model as foreign
from mlstrata_steps.foreign.model import OnnxModel
from mlstrata_steps.outcome import StepError
from mlstrata_steps.own import PREFIX, WORKSPACE, OwnModel, package_folder
from mlstrata_steps.references import imported, module
from mlstrata_steps.several import Models
from mlstrata_steps.tasks.base import CLASSIFIER, REGRESSOR

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

CLASSIFIERS = ("logistic_regression", "random_forest", "hist_gradient_boosting")
REGRESSORS = ("linear_regression", "random_forest", "hist_gradient_boosting")
ALGORITHMS = ("logistic_regression", *REGRESSORS)
SIMPLEST = {CLASSIFIER: CLASSIFIERS[0], REGRESSOR: REGRESSORS[0]}
"""What learns where no algorithm is named: the easiest to explain."""
CATEGORIES = 100
"""Columns that a column of texts becomes at most: memory grows with the rows, and not with their values too."""

GROUP, FOLDER = "mlstrata.learners", "learners"
"""Learners of other people: an entry point's group, and the folder of a workspace."""


@dataclass(frozen=True)
class Learner:
    """How a model learns; `learners/*.py` of a workspace and entry points `mlstrata.learners` bring others.

    Attributes:
        classifier: Makes an unfitted estimator as scikit-learn has them of its hyperparameters, by name: for a
            classification one with `predict_proba`, for a regression one with `predict`; `fit` takes `sample_weight`.
            `random_state` is given where it takes one. Classes come as 0, 1, ….
        defaults: Hyperparameters that are ours to choose.
        trusted: Types that skops may rebuild beyond those it trusts by itself: what the fitted classifier is made of.
        scaled: Whether numbers are brought to one scale before it sees them.
    """

    classifier: Callable[..., Any]
    defaults: Mapping[str, object] = field(default_factory=dict)
    trusted: tuple[str, ...] = ()
    scaled: bool = False

    @property
    def takes(self) -> set[str]:
        """Return the names of its hyperparameters; of a class, also what its bases name, as a `**` hands it on."""
        bases = self.classifier.__mro__[:-1] if isinstance(self.classifier, type) else (self.classifier,)
        named = {name for one in bases for name, taken in _parameters(one).items() if taken.kind not in _ANY}
        return {*named, *getattr(self.classifier, "_get_param_names", tuple)()}

    @property
    def takes_others(self) -> bool:
        """Whether it also takes what it does not name."""
        return any(one.kind is inspect.Parameter.VAR_KEYWORD for one in _parameters(self.classifier).values())


_SCALED = tuple(f"sklearn.{one}" for one in ("linear_model", "neighbors", "neural_network", "svm"))
"""Modules of estimators that compare the sizes of columns."""
_ANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _parameters(made: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(made).parameters


LIBRARIES = ("catboost", "imblearn", "lightgbm", "sklearn", "xgboost")
"""Packages of estimators, of whose classes a model may be made: a booster of theirs is kept in its own text format."""

TRUSTED = (
    "collections.OrderedDict",
    "collections.defaultdict",
    "mlstrata_steps.scaled.Pictures",
    "mlstrata_steps.prose.Prose",
    "mlstrata_steps.several.Models",
    "numpy.dtype",
)
"""Other types that their models are made of."""


def build(
    algorithm: str,
    parameters: Mapping[str, object],
    features: pd.DataFrame,
    *,
    seed: int,
    learns: str = CLASSIFIER,
    prose: Sequence[str] = (),
    pictures: Sequence[str] = (),
) -> Pipeline | OwnModel:
    """Build an unfitted model for a table of features.

    Missing numbers become the training median, text becomes one column a value, of which there are at most `CATEGORIES`
    in a column of texts: rarer values share one. A value never seen in training becomes none of them, or a rare one
    where there are such. Scaling matters to the linear model only and is left out of the trees. Free text becomes
    hashed words (`prose`), for others than the linear models as few columns of them as they can take. An image becomes
    the greys of a small square (`pictures`).

    Args:
        algorithm: One of `ALGORITHMS`, a learner of somebody else's (`learner`), or `train:` and a training function
            (`own`), which prepares the features itself.
        parameters: Hyperparameters of the scikit-learn classifier, over our defaults.
        features: The training features; only names and types are read.
        seed: Of the classifier.
        learns: What it has to learn: `tasks.base.CLASSIFIER` or `REGRESSOR`.
        prose: The features that are free text.
        pictures: The features that are images.

    Raises:
        StepError: The algorithm or a hyperparameter is unknown.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from mlstrata_steps.scaled import Pictures

    if algorithm.startswith(PREFIX):
        return OwnModel(_named(algorithm.removeprefix(PREFIX)), parameters, seed=seed, task=learns)
    found = learner(algorithm, learns)
    require_known(algorithm, parameters, "parameters", learns)
    seeded = {"random_state": seed} if "random_state" in found.takes else {}
    classifier = found.classifier(**{**found.defaults, **parameters, **seeded})
    apart = {*prose, *pictures}
    words = [name for name in texts(features) if name not in apart]
    numbers = [name for name in features.columns if name not in {*words, *apart}]
    numeric = make_pipeline(SimpleImputer(strategy="median"))
    if found.scaled:
        numeric.steps.append(("standardscaler", StandardScaler()))
    textual = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing", missing_values=None),
        OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=CATEGORIES, sparse_output=False),
    )
    parts: list[tuple[str, Any, list[str]]] = [("numbers", numeric, numbers), ("texts", textual, words)]
    parts += [
        (f"prose_{place}", _worded(algorithm, learns, seed), [name])
        for place, name in enumerate(map(str, features.columns))
        if name in prose
    ]
    parts += [
        (f"image_{place}", Pictures(), [name])
        for place, name in enumerate(map(str, features.columns))
        if name in pictures
    ]
    prepare = ColumnTransformer(parts, remainder="drop", verbose_feature_names_out=False)
    return Pipeline([("prepare", prepare), ("classify", classifier)])


def _worded(algorithm: str, learns: str, seed: int) -> Any:
    """Make what turns a column of free text into numbers that a learner can take."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.pipeline import make_pipeline

    from mlstrata_steps.prose import TOPICS, Prose

    if _named(algorithm) in {"", SIMPLEST[learns]}:
        return Prose()
    return make_pipeline(Prose(), TruncatedSVD(TOPICS, random_state=seed))


def save(model: Pipeline | OwnModel | Models, path: str) -> None:
    """Write a model in skops' format: unlike a pickle, it names its types and runs no code of its own.

    Raises:
        StepError: A training function's model cannot be stored (`own_store`).
    """
    import skops.io

    if isinstance(model, OwnModel):
        own_store.save(model, path)
    else:
        skops.io.dump(model, path)


def load(path: str, output: str = "") -> Pipeline | OwnModel | OnnxModel | Models:
    """Read a model, rebuilding no type but skops' own, those of `LIBRARIES`, and what a learner brings (`trusted`).

    One that others made may be an ONNX file (`foreign`).

    Args:
        path: A model as `save` writes it.
        output: The name of the answer, of a model of several (`several.Models`); empty: all of it.

    Raises:
        StepError: The file holds another type, or no such answer.
    """
    found = _load(path)
    if not output:
        return found
    if not isinstance(found, Models) or output not in found.models:
        raise StepError(f"the model {path!r} has no answer {output!r}")
    return found.models[output]


def _load(path: str) -> Pipeline | OwnModel | OnnxModel | Models:
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    if foreign.is_foreign(path):
        return foreign.load(path)
    if own_store.is_pickle(path):
        return own_store.load_pickle(path)
    try:
        return skops.io.load(path, trusted=trusted(path))
    except UntrustedTypesFoundException as error:
        raise StepError(f"the model {path!r} holds types that are not trusted: {error}") from error


def require_known(algorithm: str, names: Iterable[str], where: str, learns: str = CLASSIFIER) -> None:
    """Refuse hyperparameters that an algorithm does not have.

    Args:
        algorithm: One of `ALGORITHMS`, or a learner of somebody else's (`learner`).
        names: The hyperparameters.
        where: What they are declared under, such as `parameters`.
        learns: As for `build`.

    Raises:
        StepError: The algorithm is unknown, or one of them is.
    """
    if algorithm.startswith(PREFIX):
        return  # what a training function makes of its settings, it knows
    found = learner(algorithm, learns)
    known = found.takes - {"random_state"}
    for name in sorted(set(names) - known):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8 if found.takes_others else 0.6)
        close = [] if name == "random_state" else near
        if found.takes_others and not close and name != "random_state":
            continue  # such as LightGBM's other names for what it takes
        other = "the seed is set by `seed`" if name == "random_state" else f"allowed {', '.join(sorted(known))}"
        hint = f"did you mean {close[0]!r}?" if close else other
        named = _named(algorithm) or SIMPLEST[learns]
        raise StepError(f"{where}.{name}: {named} has no such hyperparameter ({hint})")


def learner(name: str, learns: str = CLASSIFIER) -> Learner:
    """Find how a model learns.

    Args:
        name: One of `ALGORITHMS`, the name of an entry point, or `module:name` of a workspace's `learners/` or of what
            is installed: a `Learner`, or an estimator's class, whose path may be written with points alone.
        learns: As for `build`: some names stand for a classifier and for a regressor.

    Raises:
        StepError: There is none of this name, or it learns something else.
    """
    name = _named(name) or SIMPLEST[learns]
    if name in ALGORITHMS:
        shipped = _shipped(learns)
        if name not in shipped:
            raise StepError(f"algorithm: {name} is no {learns}; allowed {', '.join(shipped)}")
        return shipped[name]
    point = None if ":" in name else next(iter(entry_points(group=GROUP, name=name)), None)
    reference = point.value if point else name if ":" in name else ":".join(name.rsplit(".", 1))
    if ":" not in reference:
        others = sorted(one.name for one in entry_points(group=GROUP))
        raise StepError(f"algorithm: got {name!r}; allowed {', '.join((*ALGORITHMS, *others))}, or MODULE:NAME")
    found = imported(reference, _folders())
    if isinstance(found, Learner):
        return found
    if not callable(found):
        raise StepError(f"algorithm: {name} is {type(found).__name__}; allowed a Learner, or an estimator's class")
    if isinstance(found, type) and hasattr(found, "predict_proba") != (learns == CLASSIFIER):
        raise StepError(f"algorithm: {name} is no {learns}, which model.task asks for")
    return Learner(found, scaled=reference.startswith(_SCALED))


def _named(algorithm: str) -> str:
    """Leave out the version of its code, which stands there for the caches to tell one from the next."""
    return algorithm.partition("@")[0]


def trusted(path: str) -> list[str]:
    """Return the types of a model that may be rebuilt beyond those that skops rebuilds by itself.

    Classes of `LIBRARIES`, and no functions of theirs; and what a learner names that is brought to this place.

    Args:
        path: A model as `save` writes it.
    """
    import skops.io

    brought = []
    for folder in _folders():
        for file in sorted(folder.glob("*.py")):
            if not file.stem.startswith(("_", "test_")):
                brought += [one for one in vars(module(file.stem, [folder])).values() if isinstance(one, Learner)]
    named = {kind for one in brought for kind in one.trusted}
    found = skops.io.get_untrusted_types(file=path)
    return [kind for kind in found if kind in named or is_installed_type(kind) or own_store.is_of_own(kind)]


def is_installed_type(kind: str) -> bool:
    """Say whether a model may hold a type wherever it is loaded: what is shipped or installed is made of it."""
    installed = {one for point in entry_points(group=GROUP) for one in learner(point.name).trusted}
    return kind in TRUSTED or kind in installed or _is_class_of_a_library(kind)


def _is_class_of_a_library(kind: str) -> bool:
    where, _, name = kind.rpartition(".")
    if where.partition(".")[0] not in LIBRARIES:
        return False
    try:
        return isinstance(getattr(import_module(where), name, None), type)
    except ImportError:
        return False


def served_with(model: Pipeline | OwnModel | OnnxModel | Models) -> tuple[str, ...]:
    """Return the distributions that a fitted classifier is from, beside scikit-learn."""
    if isinstance(model, Models):
        return tuple(sorted({name for one in model.models.values() for name in served_with(one)}))
    if isinstance(model, OwnModel | OnnxModel):
        return ()
    package = type(model[-1]).__module__.partition(".")[0]
    return tuple(name for name in packages_distributions().get(package, ()) if name != "scikit-learn")


def own_code(path: str) -> list[Path]:
    """Return what a model needs of a workspace wherever it is read: nothing, or all the code of one folder.

    It is that of its training function's package, or of `learners/`: a module may import its neighbours, so those that
    one of the model's types is from are not all that it needs.

    Args:
        path: A model as `save` writes it.
    """
    import skops.io

    model = load(path)
    if isinstance(model, OnnxModel):
        return []
    if isinstance(model, OwnModel):
        return [package_folder(model.reference)]
    modules = {kind.partition(".")[0] for kind in skops.io.get_untrusted_types(file=path)}
    for folder in _folders():
        if any((folder / f"{name}.py").is_file() or (folder / name).is_dir() for name in modules):
            return [one for one in sorted(folder.iterdir()) if _is_code(one)]
    return []


def _is_code(path: Path) -> bool:
    if path.name.startswith((".", "__pycache__", "test_")):
        return False
    return any(path.rglob("*.py")) if path.is_dir() else path.suffix == ".py"


def _folders() -> list[Path]:
    root = os.environ.get(WORKSPACE)
    return [Path(root) / FOLDER] if root else []


def _shipped(learns: str) -> dict[str, Learner]:
    if learns == REGRESSOR:
        return _regressors()
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    return {
        "logistic_regression": Learner(LogisticRegression, {"max_iter": 1000}, scaled=True),
        # Leaves of some rows keep the probabilities of a forest away from 0 and 1.
        "random_forest": Learner(RandomForestClassifier, {"n_estimators": 200, "min_samples_leaf": 5, "n_jobs": 1}),
        "hist_gradient_boosting": Learner(
            HistGradientBoostingClassifier, {"max_iter": 150, "learning_rate": 0.05, "early_stopping": False}
        ),
    }


def _regressors() -> dict[str, Learner]:
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
    from sklearn.linear_model import Ridge

    return {
        # Of a column a value of each text, some are sums of others: a penalty tells their coefficients.
        "linear_regression": Learner(Ridge, scaled=True),
        "random_forest": Learner(RandomForestRegressor, {"n_estimators": 200, "min_samples_leaf": 5, "n_jobs": 1}),
        "hist_gradient_boosting": Learner(
            HistGradientBoostingRegressor, {"max_iter": 150, "learning_rate": 0.05, "early_stopping": False}
        ),
    }
