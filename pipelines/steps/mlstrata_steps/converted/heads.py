"""Writes scikit-learn's linear models, forests and histogram boosting as ONNX, in double precision.

Trees are read from attributes that scikit-learn does not promise to keep, as every converter does: `proof` compares
what comes out with the model itself, and what differs is not served.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mlstrata_steps.converted.graph import Graph, NotConverted
from mlstrata_steps.converted.trees import Tree, ensemble

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Head = Callable[[Graph, str, Any], str]
_BINARY = 2
_LINKS = {
    "squared_error": "Identity", "absolute_error": "Identity", "quantile": "Identity", "poisson": "Exp", "gamma": "Exp",
}  # fmt: skip


def _linear(graph: Graph, matrix: str, model: Any) -> str:
    import numpy as np

    coefficients: NDArray[np.float64] = np.atleast_2d(np.asarray(model.coef_, dtype="float64"))
    intercepts = np.broadcast_to(np.asarray(model.intercept_, dtype="float64"), (len(coefficients),))
    return graph.add("Gemm", matrix, graph.constant(coefficients.T), graph.constant(intercepts))


def _logistic(graph: Graph, matrix: str, model: Any) -> str:
    if len(model.classes_) > _BINARY and model.solver == "liblinear":
        raise NotConverted("LogisticRegression of several classes with liblinear has no form here; use another solver")
    return _probabilities(graph, _linear(graph, matrix, model), len(model.classes_))


def _probabilities(graph: Graph, scores: str, classes: int) -> str:
    """Of two classes the second one's probability alone, which is what a contract of two classes reads."""
    return graph.add("Sigmoid", scores) if classes == _BINARY else graph.add("Softmax", scores, axis=1)


def _forest(graph: Graph, matrix: str, model: Any) -> str:
    """Write the mean of trees, which compare numbers that were rounded to single precision."""
    grown = [one.tree_ for one in getattr(model, "estimators_", [model])]
    classes = len(getattr(model, "classes_", ()))
    if grown[0].value.shape[1] != 1:
        raise NotConverted(f"{type(model).__name__} of several targets has no form here")
    # Of two classes the second alone; of more a copy of each tree for each, as a leaf gives one number.
    wanted = [0] if not classes else [1] if classes == _BINARY else list(range(classes))
    trees = []
    for one in grown:
        values = one.value[:, 0, :]
        if classes:
            values = values / values.sum(axis=1, keepdims=True)
        trees += [_tree(one, values[:, column] / len(grown), target) for target, column in enumerate(wanted)]
    return ensemble(graph, graph.single(matrix), trees, len(wanted))


def _boosting(graph: Graph, matrix: str, model: Any) -> str:
    """Write the sum of trees from a first guess on, and the link."""
    import numpy as np

    trees, outputs = [], 1
    for iteration in model._predictors:
        outputs = len(iteration)
        for target, grown in enumerate(iteration):
            nodes = grown.nodes
            if nodes["is_categorical"].any():
                raise NotConverted("histogram boosting with splits by category has no form here")
            trees.append(
                Tree(
                    left=nodes["left"], right=nodes["right"], feature=nodes["feature_idx"],
                    threshold=nodes["num_threshold"], missing_left=nodes["missing_go_to_left"],
                    leaf=nodes["is_leaf"].astype(bool), value=nodes["value"], target=target,
                )
            )  # fmt: skip
    first: NDArray[np.float64] = np.asarray(model._baseline_prediction, dtype="float64").reshape(1, -1)
    scores = graph.add("Add", ensemble(graph, matrix, trees, outputs), graph.constant(first))
    if hasattr(model, "classes_"):
        return _probabilities(graph, scores, len(model.classes_))
    if model.loss not in _LINKS:
        raise NotConverted(f"histogram boosting with loss {model.loss!r} has no form here; allowed {', '.join(_LINKS)}")
    return graph.add(_LINKS[model.loss], scores)


def _gradient(graph: Graph, matrix: str, model: Any) -> str:
    """Write the sum of trees, each times the learning rate, from a first guess on."""
    import numpy as np

    if type(model.init_).__name__ not in {"DummyClassifier", "DummyRegressor"}:
        raise NotConverted("gradient boosting from another model's guess has no form here; leave init out")
    rate, outputs = model.learning_rate, model.estimators_.shape[1]
    trees = [
        _tree(one.tree_, one.tree_.value[:, 0, 0] * rate, target)
        for iteration in model.estimators_
        for target, one in enumerate(iteration)
    ]
    # The same of every row.
    first: NDArray[np.float64] = model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype="float32"))
    scores = graph.add("Add", ensemble(graph, graph.single(matrix), trees, outputs), graph.constant(first))
    if not hasattr(model, "classes_"):
        return scores
    if model.loss != "log_loss":
        raise NotConverted(f"gradient boosting with loss {model.loss!r} has no form here; allowed log_loss")
    return _probabilities(graph, scores, len(model.classes_))


def _tree(grown: Any, values: NDArray[np.float64], target: int) -> Tree:
    """Read a tree of scikit-learn's, whose nodes give `values`."""
    import numpy as np

    leaf, missing = grown.children_left < 0, getattr(grown, "missing_go_to_left", None)
    return Tree(
        left=grown.children_left, right=grown.children_right, feature=grown.feature, threshold=grown.threshold,
        missing_left=np.zeros(len(leaf)) if missing is None else missing, leaf=leaf, value=values, target=target,
    )  # fmt: skip


HEADS: Mapping[str, Head] = {
    "LogisticRegression": _logistic,
    **dict.fromkeys(("LinearRegression", "Ridge", "Lasso", "ElasticNet"), _linear),
    **dict.fromkeys(
        (
            "RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor",
            "DecisionTreeClassifier", "DecisionTreeRegressor",
        ),
        _forest,
    ),
    **dict.fromkeys(("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"), _boosting),
    **dict.fromkeys(("GradientBoostingClassifier", "GradientBoostingRegressor"), _gradient),
}  # fmt: skip
"""What is written here, by the name of scikit-learn's class."""
