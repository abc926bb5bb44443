"""Step 5: how good is the model on rows it never saw, against saying the same of everyone?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.estimator import load
from mlstrata_steps.intervals import CUT, METRICS, estimates
from mlstrata_steps.outcome import Check
from mlstrata_steps.parity import parity
from mlstrata_steps.tables import positives, read_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_SPREAD = 0.01
"""Standard deviation of the probabilities below which a model says nearly the same of everyone."""


def evaluate(
    path: str, model: str, columns: Mapping[str, object], *, base_rate: float, seed: int = 0
) -> dict[str, object]:
    """Measure a model on the test rows.

    Args:
        path: The test rows.
        model: The model that `train` wrote.
        columns: The roles of the columns (`Columns`).
        base_rate: The baseline's probability for every row: the share of positives among the training rows.
        seed: Of the bootstrap.

    Returns:
        `rows`; `metrics` and `baseline` by name (the former with `low` and `high`); `parity` by protected column;
        `checks` of plausibility and against the baseline; `probabilities` (min, mean, max, spread).
    """
    import numpy as np

    table, roles = read_table(path), Columns.parse(columns)
    pipeline = load(model)
    features = feature_frame(table, [str(name) for name in pipeline.feature_names_in_])
    labels = positives(table[roles.target], roles.positive).astype("int64")
    probabilities = np.asarray(pipeline.predict_proba(features)[:, 1], dtype="float64")
    checks = plausible(probabilities)
    report: dict[str, object] = {
        "rows": len(table),
        "cut": CUT,
        "probabilities": {
            "min": float(probabilities.min()),
            "mean": float(probabilities.mean()),
            "max": float(probabilities.max()),
            "spread": float(probabilities.std()),
        },
        "parity": {name: parity(table[name], labels, probabilities >= CUT) for name in roles.protected},
    }
    measured = estimates(labels, probabilities, seed=seed)
    constant = np.full(len(labels), base_rate)
    baseline = {name: metric(labels, constant) for name, metric in METRICS.items()}
    checks += [
        Check(
            "better than chance",
            measured["auc"].low > baseline["auc"],
            f"auc {measured['auc'].value:.3f}, its interval starts at {measured['auc'].low:.3f}; "
            f"saying {base_rate:.1%} of everyone gives {baseline['auc']:.2f}",
        ),
        Check(
            "better than the base rate",
            measured["log_loss"].value < baseline["log_loss"],
            f"log loss {measured['log_loss'].value:.3f}; "
            f"saying {base_rate:.1%} of everyone gives {baseline['log_loss']:.3f}",
        ),
    ]
    metrics = {name: asdict(estimate) for name, estimate in measured.items()}
    return {**report, "metrics": metrics, "baseline": baseline, "checks": [asdict(check) for check in checks]}


def plausible(probabilities: NDArray[np.float64]) -> list[Check]:
    """Check that numbers are probabilities, and not the same one for everyone.

    Args:
        probabilities: Shape (rows,).
    """
    import numpy as np

    low, high, spread = float(probabilities.min()), float(probabilities.max()), float(probabilities.std())
    inside = bool(np.isfinite(probabilities).all() and low >= 0 and high <= 1)
    return [
        Check("probabilities in range", inside, f"{low:.3f} to {high:.3f}, allowed 0 to 1"),
        Check("probabilities spread", spread >= LEAST_SPREAD, f"spread {spread:.3f}, at least {LEAST_SPREAD} expected"),
    ]
