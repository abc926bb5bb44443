"""How long all drift tests of a window take, from rows and from kept counts: 20 columns, 5 of them shifted."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from mlstrata.services.monitor.drift import Moved, compare
from mlstrata.services.monitor.layout import Column
from mlstrata_steps.profile import profiled

ROWS, NUMBERS, NAMED, TIMES = 100_000, 15, 5, 3
SHIFT = 0.5


def measure_drift(*, rows: int = ROWS) -> dict[str, object]:
    """Count a window into the bins of its reference and run every test on the counts.

    Args:
        rows: Of the window, and of the reference.
    """
    random = np.random.default_rng(0)
    numbers = {f"n{at}": random.normal(size=rows) for at in range(NUMBERS)}
    named = {f"c{at}": random.choice(list("abcd"), rows) for at in range(NAMED)}
    columns = [Column(profiled(name, values.tolist(), "number")) for name, values in numbers.items()]
    columns += [Column(profiled(name, values.tolist(), "category")) for name, values in named.items()]
    later = {name: (random.normal(size=rows) + (SHIFT if at < 4 else 0)) for at, name in enumerate(numbers)}  # noqa: PLR2004 - four of fifteen
    cells = {name: values.tolist() for name, values in later.items()}
    cells |= {name: random.choice(list("abcd"), rows, p=_shares(name)).tolist() for name in named}
    for one in columns:
        _ = one.grid, one.cumulative, one.reference  # of the reference, once a version
    counted = [one.count(cells[one.profile.name]) for one in columns]

    def judge() -> list[Moved]:
        return compare(columns, counted, psi_limit=0.2, looks=8640)

    found = [one.column for one in judge() if one.drifted]
    shifted = {"n0", "n1", "n2", "n3", "c0"}
    return {
        f"counting {rows:,} rows of 20 columns, CPU s": _seconds(
            lambda: [one.count(cells[one.profile.name]) for one in columns]
        ),
        "all tests from kept counts, CPU s": _seconds(judge),
        "columns found of those shifted": f"{len(shifted & set(found))} of {len(shifted)}",
        "columns found that are quiet": len(set(found) - shifted),
    }


def _shares(name: str) -> list[float]:
    return [0.45, 0.25, 0.2, 0.1] if name == "c0" else [0.25] * 4


def _seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(TIMES):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return round(min(taken), 4)
