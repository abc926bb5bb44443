"""What a retraining learns from: the declared dataset, and recorded rows that have their truth.

Cells are read by the one reader that training, batch and API share (`mlstrata_steps.cells`), and the kind of each
column is the declared dataset's: a column of recorded rows that happens to hold whole numbers only stays what it is.

Labels known only because the model approved teach it what it believes already (AI Act, Article 15(4)). How each label
came to be known is therefore counted and told; whoever judges the run sees how much of it was chosen at random or
decided by a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from mlstrata.services.recording.store import Known, Store
    from mlstrata.services.runner.contract import TrainingRequest
    from mlstrata_steps.cells import Format

WORKDIR = "data/learning"
"""Folder of the journal, and of what each system learns from, from the environment's home."""
JOURNAL = f"{WORKDIR}/journal.db"


class NotComposed(Exception):
    """There is nothing to learn from in what was recorded; the message says why."""


@dataclass(frozen=True)
class Origins:
    """How the truth of the recorded rows came to be known.

    Attributes:
        sampled: Rows that were chosen for labelling at random.
        decided: Others that a person decided.
        outcome: Rows whose outcome was told, whatever was decided: of a model that approves, of the approved only.
        unreadable: Rows left out, as a cell is nothing of its column's kind.
    """

    sampled: int = 0
    decided: int = 0
    outcome: int = 0
    unreadable: int = 0

    @property
    def text(self) -> str:
        """Say it in one line."""
        parts = [
            f"{self.sampled} sampled for labelling",
            f"{self.decided} decided by a person",
            f"{self.outcome} known by their outcome alone",
        ]
        if self.unreadable:
            parts.append(f"{self.unreadable} left out as unreadable")
        return ", ".join(parts)


@dataclass(frozen=True)
class Dataset:
    """A snapshot to learn from.

    Attributes:
        path: The parquet file, named by the hash of its content.
        recorded: How many rows were recorded.
        named: How it is composed, in words.
        origins: How their truth came to be known.
        kinds: Column to kind, for whoever reads the file.
    """

    path: Path
    recorded: int
    named: str
    origins: Origins
    kinds: Mapping[str, str]


def labelled(store: Store, system: str, until: float, *, groups: bool = True) -> Iterable[Known]:
    """Yield the recorded rows of a system that have their truth, oldest first; by default with protected attributes."""
    for row in store.window(system, since=0.0, until=until, groups=groups):
        if row.feedback is not None and row.feedback.truth is not None and row.inputs:
            yield row


def compose(request: TrainingRequest, rows: Iterable[Known], folder: Path, *, dataset: str) -> Dataset:
    """Write the snapshot of a request's declared data and of recorded rows; the same content is the same file.

    Args:
        request: The declared request.
        rows: Recorded rows with their truth, oldest first.
        folder: Where the file is put.
        dataset: The declared dataset's name.

    Raises:
        NotComposed: No recorded row can be used.
        StepError: The declared data cannot be read.
    """
    import pandas as pd

    from mlstrata_steps.cells import Format
    from mlstrata_steps.reading import frame
    from mlstrata_steps.source import at_hand, read_cells
    from mlstrata_steps.tables import canonical, content_hash, write_table

    form = Format.parse(request.format)
    cells = read_cells(at_hand(request.source, request.endpoint)[0], form)
    declared = frame(cells, form, request.exclude)
    kinds = {one.name: _kind(one, form, request.exclude) for one in cells}
    kept, origins, times = _readable(request, rows, kinds, form)
    if not kept:
        raise NotComposed(f"none of the recorded rows can be learnt from ({origins.text})")
    table = canonical(pd.concat([declared, _frame(kept, kinds)], ignore_index=True).dropna(how="all"))
    version = content_hash(table).removeprefix("sha256:")
    path = folder / f"{version}.parquet"
    if path.exists():
        path.touch()  # it is kept for some time after its last use
    else:
        write_table(table, str(path))
        path.chmod(0o600)
    period = f"from {_day(min(times))} to {_day(max(times))}"
    return Dataset(path, len(kept), f"{dataset} + {len(kept)} recorded predictions {period}", origins, kinds)


def row_of(request: TrainingRequest, known: Known, kinds: Mapping[str, str], form: Format) -> dict[str, Any]:
    """Read one recorded row: features from what was asked, the target from its truth, groups from the feedback.

    Raises:
        NoValue: A cell is nothing of its column's kind, or there is no truth.
    """
    from mlstrata_steps.cells import NoValue, value

    told = known.feedback
    if told is None or told.truth is None:
        raise NoValue("a truth")
    row = {
        name: value(known.inputs.get(name), kind, form=form)
        for name, kind in kinds.items()
        if name != request.target and name not in request.protected
    }
    for name in request.protected:
        row[name] = value(told.groups.get(name), kinds[name], written=True, form=form)
    row[request.target] = value(told.truth, kinds[request.target], written=True, form=form)
    if row[request.target] is None:
        raise NoValue("a truth")
    return row


def _readable(
    request: TrainingRequest, rows: Iterable[Known], kinds: Mapping[str, str], form: Format
) -> tuple[list[dict[str, Any]], Origins, list[float]]:
    from mlstrata_steps.cells import NoValue

    kept: list[dict[str, Any]] = []
    times: list[float] = []
    sampled = decided = unreadable = 0
    for known in rows:
        try:
            kept.append(row_of(request, known, kinds, form))
        except NoValue:
            unreadable += 1
            continue
        times.append(known.record.at)
        if known.feedback is not None and known.feedback.sampled < 1:
            sampled += 1
        elif known.feedback is not None and known.feedback.reviewer:
            decided += 1
    outcome = len(kept) - sampled - decided
    return kept, Origins(sampled, decided, outcome, unreadable), times


def _frame(rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd

    from mlstrata_steps.cells import Format
    from mlstrata_steps.reading import cells_of_objects

    columns = {}
    for name, kind in kinds.items():
        cells = cells_of_objects(name, [row[name] for row in rows])
        columns[name] = cells.typed(Format(kinds={name: kind}))
    return pd.DataFrame(columns)


def _kind(cells: Any, form: Format, exclude: Sequence[str]) -> str:
    from mlstrata_steps.outcome import StepError

    try:
        return str(cells.kind(form))
    except StepError:
        if cells.name not in exclude:
            raise
        return "string"


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
