"""Whether a converted model answers as the one that it was made of: compared on all that may tell them apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlstrata_steps.columns import texts
from mlstrata_steps.converted.file import NotPlain
from mlstrata_steps.converted.form import REASON, Form, FormError, Session
from mlstrata_steps.converted.graph import NotConverted
from mlstrata_steps.tasks.output import Output, OutputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

TOLERANCE = 1e-6
"""Largest difference, of a number over 1 relative to it: ten float32 roundings of a probability, a tenth of the last of
the five digits that anybody shows. A row sent down another side of a split differs by far more."""
ROWS = 10_000
"""Rows that are compared at most, spread over the table: a forest answers so many in a second."""
_BASES, _CUTS = 12, 24
_FAR = (0.0, -1.0, 1e6, -1e6, 1e15, -1e15, 1e-300, 1e30, -1e30)
"""Numbers that no training saw, inside of what float32 holds: a forest refuses what is not."""
_FAR_WHOLE = (0, -1, 2**31, -(2**31), 2**53 + 1, -(2**53) - 1)
_STRANGE = ("", " ", "missing", "None", "nan", "never seen before", "\U0001f7e6 \u00e9", "x" * 500)

Ask = Callable[["pd.DataFrame"], object]


def proven(
    made: Callable[[], tuple[bytes, Form]], features: pd.DataFrame, output: Output, ask: Ask, *others: pd.DataFrame
) -> tuple[bytes | None, dict[str, Any]]:
    """Convert a model and compare the two.

    Args:
        made: Converts it (`write.convert`).
        features: The training rows (`columns.feature_frame`).
        output: Its contract.
        ask: What it says of some features.
        others: More rows, such as those of the test.

    Returns:
        The file, None where it is not to be served; and what is kept of it in the metadata: its form, or the reason.
    """
    try:
        content, form = made()
        rows = _spread(features, ROWS)
        more = [_spread(_taken(one, features), ROWS) for one in others]
        frame = _joined([rows, *more, *_adversaries(rows)])
        return content, replace(form, rows=len(frame), gap=_gap(Session(content, form), frame, output, ask)).document()
    except (NotConverted, FormError, NotPlain, OutputError) as error:
        return None, {REASON: str(error)}
    except ImportError as error:
        return None, {REASON: f"{error.name} is not installed here"}
    except Exception as error:  # noqa: BLE001 - of a runtime's kind, with no common base: it cannot be computed there
        return None, {REASON: f"ONNX Runtime refuses it: {str(error).strip().splitlines()[0][:200]}"}


def _gap(session: Session, frame: pd.DataFrame, output: Output, ask: Ask) -> float:
    """Return the largest difference.

    Raises:
        NotConverted: They differ by more than `TOLERANCE`, or in a label.
    """
    import numpy as np

    ours = output.read(session(instances(frame)), len(frame))
    theirs = output.read(ask(frame), len(frame))
    gaps: NDArray[np.float64] = np.abs(ours - theirs) / np.maximum(1.0, np.abs(theirs))
    if not (gaps <= TOLERANCE).all():
        wrong = int((~(gaps <= TOLERANCE)).reshape(len(frame), -1).any(axis=1).sum())
        raise NotConverted(
            f"it differs by {float(np.nanmax(gaps)):.1e} in {wrong} of {len(frame)} rows; {TOLERANCE:g} allowed"
        )
    said = [[one.get("label") for one in output.predictions(values)] for values in (ours, theirs)]
    if wrong := sum(one != other for one, other in zip(*said, strict=True)):
        raise NotConverted(f"it gives another label in {wrong} of {len(frame)} rows")
    return float(gaps.max())


def instances(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Write features as a checked request has them: a missing value is None."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [dict(zip(plain.columns, row, strict=True)) for row in plain.to_numpy().tolist()]


def _spread(frame: pd.DataFrame, most: int) -> pd.DataFrame:
    import numpy as np

    return frame.iloc[np.unique(np.linspace(0, len(frame) - 1, min(most, len(frame)), dtype=int))]


def _taken(rows: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Choose the rows that a request could hold: no gap where training saw none."""
    required = [name for name in features.columns if not features[name].isna().any()]
    return rows[rows[required].notna().all(axis=1)].astype(features.dtypes.to_dict())


def _adversaries(features: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield rows with one cell changed: missing where training saw gaps, unknown, far out, and on the edge of a split.

    Trees split halfway between two values that they saw: those numbers and their nearest neighbours are tried.
    """
    import pandas as pd

    words, bases = set(texts(features)), _spread(features, _BASES)
    for name in map(str, features.columns):
        column = features[name]
        cells: list[Any] = [None] if bool(column.isna().any()) else []
        if name in words:
            cells += [*_STRANGE, *(f"{one}\0" for one in column.dropna().unique()[:1])]
        elif column.dtype.kind == "f":
            cells += [*_FAR, *_edges(column)]
        elif column.dtype.kind == "i":
            cells += _FAR_WHOLE
        else:
            cells += [True, False]
        chosen = bases.iloc[[at % len(bases) for at in range(len(cells))]].reset_index(drop=True)
        yield chosen.assign(**{name: pd.Series(cells, dtype=column.dtype)})


def _edges(column: pd.Series[Any]) -> Sequence[float]:
    import numpy as np

    seen = np.unique(column.dropna().to_numpy(dtype="float64"))
    halves = (seen[1:] + seen[:-1]) / 2
    chosen = halves[np.unique(np.linspace(0, len(halves) - 1, min(_CUTS, len(halves)), dtype=int))]
    near = [np.nextafter(chosen, -np.inf), chosen, np.nextafter(chosen, np.inf), chosen.astype("float32")]
    return [float(one) for one in np.concatenate(near)]


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(frames, ignore_index=True)
