"""Who answers where the model should not: what is declared under `serving.fallback`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlstrata.services.serving.flags import CONFIDENCE, RANGE, UNSEEN
from mlstrata.services.serving.observing import UNSURE
from mlstrata.services.serving.problem import ProblemError
from mlstrata_steps.tasks.output import BINARY, MULTICLASS, Output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlstrata.services.serving.prediction import Row

HUMAN_REVIEW, REFUSE = "human_review", "refuse"
IMPLAUSIBLE, FAILED, UNCHECKED = "implausible", "failed", "unchecked"
REASONS = (CONFIDENCE, RANGE, UNSEEN, IMPLAUSIBLE, FAILED, UNCHECKED)
"""Why an answer of the model does not stand."""
REFUSED = 409


def confidences(output: Output, values: NDArray[np.float64]) -> list[float] | None:
    """Return how sure the model is of each row, 0 to 1; None where its kind of answer says nothing of it."""
    import numpy as np

    if output.task == BINARY:
        return [float(one) for one in np.maximum(values, 1 - values)]
    if output.task == MULTICLASS:
        return [float(one) for one in values.max(axis=1)]
    return None


def reasons_of(flags: Sequence[str]) -> tuple[str, ...]:
    """Return the reasons among flags, each once: a column is not named in an answer."""
    kinds = [flag.partition(":")[0] for flag in flags]
    return tuple(one for one in REASONS if one in kinds)


def refusal(rows: Sequence[Row]) -> ProblemError:
    """Return the answer to a request of which some rows are not answered by the model and by nobody else now."""
    unsure = [(at, row) for at, row in enumerate(rows) if row.reasons]
    problem = ProblemError(
        REFUSED,
        UNSURE,
        f"the model is not to decide {len(unsure)} of {len(rows)} instances; a person must",
        [
            {
                "path": f"instances[{at}]",
                "got": ", ".join(row.reasons),
                "expected": "an instance that the model may decide",
                "fix": "have a person decide it, or leave it out",
            }
            for at, row in unsure[:20]
        ],
    )
    problem.rows = tuple(rows)
    return problem
