"""Real applications, split as the pipeline splits them, and the same with what may come to differ."""

import numpy as np
import pandas as pd

from mlstrata.services.monitor.layout import Column
from mlstrata_steps.profile import of_column

ROLES = {"target": "deny", "positive": "yes", "protected": ["afam", "single"]}
HIDDEN = ("deny", "afam", "single")


def shares(table: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split into three quarters to train on and a quarter that comes later."""
    order = np.random.default_rng(seed).permutation(len(table))
    cut = len(table) * 3 // 4
    return table.iloc[order[:cut]], table.iloc[order[cut:]]


def drifted(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Shift debt ratios by 15 %, the loan's by 0.08, and the share of self-employed by 15 points."""
    found = rows.copy()
    for name in ("pirat", "hirat"):
        found[name] = found[name] * 1.15
    found["lvrat"] += 0.08
    now = (found["selfemp"] == "yes").to_numpy()
    turned = np.random.default_rng(seed).random(len(found)) < 0.15 / (1 - now.mean())
    found["selfemp"] = np.where(now | turned, "yes", "no")
    return found


def columns(training: pd.DataFrame) -> list[Column]:
    """Return what the monitor compares."""
    return [Column(of_column(str(name), training[name])) for name in training.columns if name not in HIDDEN]


def cells(rows: pd.DataFrame, name: str) -> list[object]:
    """Return a column's values as JSON has them."""
    return rows[name].astype(object).where(rows[name].notna(), None).tolist()
