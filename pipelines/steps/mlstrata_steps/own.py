"""A training function of somebody's own: the contract, and the model that it makes.

The function lies in a package of the workspace and is named `package.module:function`. It gets the rows to learn from
and a context, and returns a model; whatever calls it (training, trials, the signal gate's shuffled labels) sees one
estimator.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mlstrata_steps.outcome import StepError, telling

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

PREFIX = "train:"
"""Starts the `algorithm` that is a training function; `@` and the version of its code may end it."""

WORKSPACE = "MLSTRATA_WORKSPACE"
PROBED = 5
"""Training rows on which a model that was written is held against the one that is read."""


@dataclass(frozen=True)
class Data:
    """The rows to learn from.

    Attributes:
        features: The columns that the model may see, missing values among them; a column of texts holds str or None.
        target: Shape (rows,): of a classification 0 and 1, or 0 to classes - 1; of a regression numbers.
    """

    features: pd.DataFrame
    target: NDArray[np.generic]


@dataclass(frozen=True)
class Context:
    """What a training function is told beside the rows.

    Attributes:
        seed: Of all that is drawn: the same rows, settings and seed must make the same model.
        settings: `model.settings.parameters` of the environment's file, or those of a trial.
        task: `classifier` or `regressor`.
        features: The columns' names, in the order that the model signs.
        weights: Shape (rows,), how much each row counts, where a mitigation is declared; None: all the same.
        budget: Seconds that training may take; None: none are declared. The function is asked to keep to it.
        progress: Called with a short text, says how far it is.
    """

    seed: int
    settings: Mapping[str, Any]
    task: str
    features: tuple[str, ...]
    weights: NDArray[np.float64] | None = None
    budget: float | None = None
    progress: Callable[[str], None] = field(default=lambda _text: None, repr=False)


class OwnModel:
    """What a training function makes, as an estimator: trained by `fit`, and asked as scikit-learn's are.

    Attributes:
        reference: The function, `package.module:function`.
        model: What it returned; None before `fit`.
    """

    def __init__(self, reference: str, settings: Mapping[str, Any], *, seed: int, task: str) -> None:
        self.reference, self.settings, self.seed, self.task = reference, dict(settings), seed, task
        self.model: Any = None

    def fit(self, features: pd.DataFrame, target: Any, *, classify__sample_weight: Any = None) -> OwnModel:
        """Have the function make a model of these rows.

        Raises:
            StepError: There is no such function, it failed, or what it returned is no model of the task.
        """
        import numpy as np

        train = function(self.reference)
        self.feature_names_in_ = np.asarray(features.columns, dtype=object)
        self.n_features_in_ = len(features.columns)
        target = np.asarray(target)
        if self.task != "regressor":
            self.classes_ = np.unique(target)
        context = Context(
            seed=self.seed,
            settings=self.settings,
            task=self.task,
            features=tuple(str(name) for name in features.columns),
            weights=classify__sample_weight,
            progress=telling("train"),
        )
        self._fails = f"model.train: {self.reference}"
        try:
            self.model = train(Data(features.copy(), target.copy()), context)
        except Exception as error:
            raise StepError(f"{self._fails}: {type(error).__name__}: {error}{line_of(error)}") from error
        self._probe = features.head(PROBED)
        self._judge(self._probe)
        return self

    def predict_proba(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of each class: shape (rows, classes)."""
        import numpy as np

        given = np.asarray(self._ask(features, "predict_proba"), dtype="float64")
        if given.ndim == 1 or given.shape[1] == 1:
            positive = given.reshape(-1)
            given = np.column_stack([1 - positive, positive])
        return given

    def predict(self, features: pd.DataFrame) -> NDArray[np.generic]:
        """Return a number a row for a regression, else the class that is most probable: shape (rows,)."""
        import numpy as np

        if self.task == "regressor":
            return np.asarray(self._ask(features, "predict"), dtype="float64").reshape(-1)
        return np.asarray(self.classes_[self.predict_proba(features).argmax(axis=1)])

    def same(self, other: OwnModel) -> bool:
        """Whether another one answers the first training rows alike."""
        import numpy as np

        ask = "predict" if self.task == "regressor" else "predict_proba"
        return bool(np.array_equal(getattr(self, ask)(self._probe), getattr(other, ask)(self._probe), equal_nan=True))

    def __getstate__(self) -> dict[str, Any]:
        # No rows go with the model.
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)

    def _ask(self, features: pd.DataFrame, way: str) -> Any:
        found = features[list(self.feature_names_in_)]
        if hasattr(self.model, way):
            return getattr(self.model, way)(found)
        # MLflow's own interface, and that of boosters: `predict` gives probabilities.
        if hasattr(self.model, "load_context"):
            return self.model.predict(None, found)
        return self.model.predict(found)

    def _judge(self, features: pd.DataFrame) -> None:
        """Refuse what cannot answer as the task asks, here where its author reads it."""
        import numpy as np

        made = type(self.model).__name__
        if not (hasattr(self.model, "predict") or hasattr(self.model, "predict_proba")):
            raise StepError(f"{self._fails} returned {made}; allowed what has predict_proba or predict")
        wanted: tuple[int, ...] = (len(features),)
        if self.task == "regressor":
            given = self.predict(features)
        else:
            if hasattr(self.model, "classes_") and not hasattr(self.model, "predict_proba"):
                raise StepError(f"{self._fails} returned {made}, which gives labels; it needs predict_proba")
            given, wanted = self.predict_proba(features), (len(features), len(self.classes_))
            if given.shape == wanted and not bool(np.all((given >= 0) & (given <= 1))):
                raise StepError(
                    f"{self._fails}: {made} gives {given.min():g} to {given.max():g}; allowed probabilities"
                )
        if given.shape != wanted:
            raise StepError(f"{self._fails}: {made} gives shape {given.shape}; needed {wanted}")


def function(reference: str) -> Callable[[Data, Context], Any]:
    """Find a training function of the workspace.

    Args:
        reference: `package.module:function`.

    Raises:
        StepError: There is none, or its module does not import.
    """
    where, _, name = reference.partition(":")
    found = getattr(own_module(where), name, None)
    if not callable(found):
        raise StepError(f"model.train: {where} has no function {name!r}")
    return found  # type: ignore[no-any-return]


def own_module(name: str, field: str = "model.train") -> ModuleType:
    """Import a module of the workspace's packages, or of those that travel with a model.

    Args:
        name: The module.
        field: What names it in the environment's file.

    Raises:
        StepError: It does not import, or another one of that name is installed.
    """
    folders = sources()
    for folder in folders:
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    package = name.partition(".")[0]
    if not hasattr(sys.modules.get(package), "__path__") and any((one / package).is_dir() for one in folders):
        sys.modules.pop(package, None)  # a single module of that name, such as a pipeline's, hides the package
    try:
        found = import_module(name)
    except Exception as error:
        raise StepError(f"{field}: {name} cannot be imported: {type(error).__name__}: {error}") from error
    if folders and not is_own(found):
        raise StepError(f"{field}: another {name} is installed ({found.__file__}); rename the workspace's package")
    return found


def is_own(found: ModuleType) -> bool:
    """Whether a module lies in the workspace."""
    return any(Path(found.__file__ or "/").is_relative_to(folder) for folder in sources())


def package_folder(reference: str) -> Path:
    """Return the folder of the package that a training function is of: all the code that its model may need.

    Raises:
        StepError: The function is of no package of the workspace.
    """
    top = reference.partition(":")[0].partition(".")[0]
    for folder in sources():
        if (folder / top).is_dir():
            return folder / top
    raise StepError(f"model.train: {reference} is of no package of the workspace; put it into a folder of its own")


def sources() -> list[Path]:
    """Return the folders in which a workspace keeps its packages."""
    root = os.environ.get(WORKSPACE)
    return [Path(root).resolve(), Path(root).resolve() / "src"] if root else []


def line_of(error: BaseException) -> str:
    """Say where in the workspace's code an error came up."""
    trace, found = error.__traceback__, ""
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if any(file.is_relative_to(folder) for folder in sources()):
            found = f" ({file.name}:{trace.tb_lineno})"
        trace = trace.tb_next
    return found
