"""Step 5: how good is the model on rows it never saw, against saying the same of everyone?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.curves import calibration, roc
from mlstrata_steps.estimator import load
from mlstrata_steps.intervals import CUT, METRICS, estimates
from mlstrata_steps.outcome import Check
from mlstrata_steps.parity import parity
from mlstrata_steps.tables import positives, read_table


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
        `checks` against the baseline; `probabilities` (min, mean, max, spread); `roc` and `calibration` (`curves`).
    """
    import numpy as np

    table, roles = read_table(path), Columns.parse(columns)
    pipeline = load(model)
    features = feature_frame(table, [str(name) for name in pipeline.feature_names_in_])
    labels = positives(table[roles.target], roles.positive).astype("int64")
    probabilities = np.asarray(pipeline.predict_proba(features)[:, 1], dtype="float64")
    report: dict[str, object] = {
        "rows": len(table),
        "cut": CUT,
        "probabilities": {
            "min": float(probabilities.min()),
            "mean": float(probabilities.mean()),
            "max": float(probabilities.max()),
            "spread": float(probabilities.std()),
        },
        "roc": roc(labels, probabilities),
        "calibration": calibration(labels, probabilities),
        "parity": {name: parity(table[name], labels, probabilities >= CUT) for name in roles.protected},
    }
    measured = estimates(labels, probabilities, seed=seed)
    constant = np.full(len(labels), base_rate)
    baseline = {name: metric(labels, constant) for name, metric in METRICS.items()}
    checks = [
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
