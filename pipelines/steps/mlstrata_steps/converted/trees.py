"""Writes decision trees as one node of ONNX: TreeEnsemble of ai.onnx.ml 5, the first that keeps double precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlstrata_steps.converted.graph import Graph, tensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SUM, _NO_TRANSFORM, _LEQ = 1, 0, 0
"""Numbers of ONNX: add the leaves up, leave the sum, and go left where a value is at most the threshold."""


@dataclass(frozen=True)
class Tree:
    """A tree, an entry of each array a node: shape (nodes,).

    Attributes:
        left: Node where a value is at most the threshold.
        right: The other one.
        feature: Column that is looked at.
        threshold: What it is compared with.
        missing_left: Whether a missing value goes left.
        leaf: Whether the node is a leaf.
        value: What a leaf adds.
        target: Column of the output that it adds to.
    """

    left: NDArray[Any]
    right: NDArray[Any]
    feature: NDArray[Any]
    threshold: NDArray[np.float64]
    missing_left: NDArray[Any]
    leaf: NDArray[np.bool_]
    value: NDArray[np.float64]
    target: int


def ensemble(graph: Graph, matrix: str, trees: Sequence[Tree], outputs: int) -> str:
    """Write the sum of some trees: shape (rows, outputs)."""
    import numpy as np

    roots, parts, leaves, branches = [], [], 0, 0
    for tree in trees:
        roots.append(branches)
        parts.append(part := _numbered(tree, branches, leaves))
        branches += len(part["features"])
        leaves += len(part["weights"])
    joined = {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}
    return graph.add(
        "TreeEnsemble", matrix, ml=True, n_targets=outputs, aggregate_function=_SUM, post_transform=_NO_TRANSFORM,
        tree_roots=roots, nodes_modes=tensor("modes", np.full(branches, _LEQ, dtype="uint8")),
        nodes_featureids=joined["features"], nodes_splits=tensor("splits", joined["thresholds"]),
        nodes_truenodeids=joined["lefts"], nodes_trueleafs=joined["left_leaves"],
        nodes_falsenodeids=joined["rights"], nodes_falseleafs=joined["right_leaves"],
        nodes_missing_value_tracks_true=joined["missing"],
        leaf_targetids=joined["targets"], leaf_weights=tensor("weights", joined["weights"]),
    )  # fmt: skip


def _numbered(tree: Tree, branches: int, leaves: int) -> dict[str, NDArray[Any]]:
    """Number branches and leaves apart, as ONNX does, from some numbers on."""
    import numpy as np

    leaf, inner = tree.leaf, ~tree.leaf
    numbers = np.where(leaf, leaves + np.cumsum(leaf) - 1, branches + np.cumsum(inner) - 1).astype("int64")
    if leaf[0]:
        # A tree of one leaf: a branch that comes to it either way.
        left = right = np.zeros(1, dtype="int64")
        inner = np.ones(1, dtype=bool)
        feature, threshold, missing = np.zeros(1, dtype="int64"), np.zeros(1), np.ones(1)
    else:
        left, right = (side[inner].astype("int64") for side in (tree.left, tree.right))
        feature, threshold, missing = tree.feature[inner], tree.threshold[inner], tree.missing_left[inner]
    values = tree.value[leaf]
    return {
        "features": feature.astype("int64"),
        "thresholds": np.asarray(threshold, dtype="float64"),
        "lefts": numbers[left],
        "left_leaves": leaf[left].astype("int64"),
        "rights": numbers[right],
        "right_leaves": leaf[right].astype("int64"),
        "missing": missing.astype("int64"),
        "targets": np.full(len(values), tree.target, dtype="int64"),
        "weights": np.asarray(values, dtype="float64"),
    }
