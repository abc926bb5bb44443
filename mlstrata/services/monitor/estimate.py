"""How good a model probably is while nobody knows yet: from how sure it is, as far as that was right on test rows.

Confidence-based performance estimation (as NannyML has it; Garg et al. 2022 for accuracy): each row counts as positive
by its calibrated probability. It sees what inputs do to a model and not what the world does to its answers, so that an
estimate is shown and alerts on nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlstrata_steps.tasks.output import MULTICLASS, REGRESSION

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]


def estimate(
    task: str, calibration: Sequence[Sequence[float]], said: Numbers, *, threshold: float = 0.5
) -> dict[str, float]:
    """Estimate metrics of rows whose truth is not known.

    Args:
        task: binary, multiclass or regression.
        calibration: As `mlstrata_steps.reference.Reference` has it.
        said: Shape (rows,) or (rows, classes).
        threshold: From which probability on a label is positive.

    Returns:
        Metric to its expected value: of two classes all that their probabilities and labels define, of more the
        accuracy, of a number mae and rmse.
    """
    import numpy as np

    if not len(said) or not calibration:
        return {}
    table = np.asarray(calibration, dtype="float64")
    if task == REGRESSION:
        off, squared = (np.interp(said, table[:, 0], table[:, at]) for at in (1, 2))
        return {"mae": float(off.mean()), "rmse": float(squared.mean() ** 0.5)}
    rising = _rising(table[:, 1], table[:, -1])
    if task == MULTICLASS:
        return {"accuracy": float(np.interp(said.max(axis=1), table[:, 0], rising).mean())}
    return _binary(said, np.interp(said, table[:, 0], rising), threshold)


def _binary(said: Numbers, truly: Numbers, threshold: float) -> dict[str, float]:
    import numpy as np

    chosen = said >= threshold
    hits, positive = float(truly[chosen].sum()), float(truly.sum())
    negative, false = len(said) - positive, float((1 - truly[chosen]).sum())
    safe = np.clip(said, 1e-15, 1 - 1e-15)
    found = {
        "accuracy": float(np.where(chosen, truly, 1 - truly).mean()),
        "precision": hits / float(chosen.sum()) if chosen.any() else 0.0,
        "recall": hits / positive if positive else 0.0,
        "specificity": (negative - false) / negative if negative else 0.0,
        "f1": 2 * hits / (float(chosen.sum()) + positive) if positive else 0.0,
        "brier": float(((said - truly) ** 2 + truly * (1 - truly)).mean()),
        "log_loss": float(-(truly * np.log(safe) + (1 - truly) * np.log1p(-safe)).mean()),
    }
    found["balanced_accuracy"] = (found["recall"] + found["specificity"]) / 2
    if positive and negative:
        found["auc"] = _ranked(said, truly) / (positive * negative)
    return found


def _ranked(said: Numbers, truly: Numbers) -> float:
    """Sum over all pairs the probability that the first is positive, the second is not, and they are in that order."""
    import numpy as np

    _, place = np.unique(said, return_inverse=True)
    positive, negative = np.bincount(place, truly), np.bincount(place, 1 - truly)
    below = np.cumsum(negative) - negative
    return float((positive * (below + negative / 2)).sum())


def _rising(shares: Numbers, weights: Numbers) -> Numbers:
    """Pool neighbours that fall (pool adjacent violators, Ayer et al. 1955)."""
    import numpy as np

    pools: list[list[float]] = []
    for share, weight in zip(shares.tolist(), weights.tolist(), strict=True):
        pools.append([share, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            last, one = pools.pop(), pools[-1]
            total = one[1] + last[1]
            pools[-1] = [(one[0] * one[1] + last[0] * last[1]) / total, total, one[2] + last[2]]
    return np.concatenate([np.full(int(count), share) for share, _, count in pools])
