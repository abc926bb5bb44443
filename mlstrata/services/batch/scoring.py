"""Scores a table in chunks: each row once, whatever cuts the job off.

A job is named by the hash of all that decides its output. Each chunk is a file of its own, renamed into place when it
is whole; a run that follows a dead one skips the chunks that are there. When all are, they become the output by one
rename, and the manifest follows it: an output without a manifest that fits is not to be used.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlstrata import files
from mlstrata.services.batch.settings import FORMATS, Manifest, ScoringJob, manifest_of
from mlstrata.services.batch.table import BatchError, Table, find_input, open_table
from mlstrata.services.retention.lock import in_use
from mlstrata.services.serving.model import ServedModel, load
from mlstrata.services.serving.predictor import Predictor
from mlstrata.services.serving.problem import ProblemError
from mlstrata.services.serving.releases import Releases
from mlstrata_steps.versioning import tree_digest

_BEFORE, _AFTER = ("row", "key", "status"), ("reason", "version")
"""Fields of a line around those of the model's output."""
_CSV_START, _JSONL_START = f"{','.join(_BEFORE)},".encode(), f'{{"{_BEFORE[0]}": 1, "'.encode()
_START = 64
Tell = Callable[[int, int], None]


def score(job: ScoringJob, tell: Tell = lambda _done, _all: None) -> tuple[Manifest, Path]:
    """Do a job, or go on with it; one that is done already is not done again.

    Args:
        job: what to do.
        tell: called with how many rows are done, and how many there are.

    Returns:
        What was done, and the output's place.

    Raises:
        BatchError: the job cannot be done; nothing was published.
    """
    with in_use(job.workdir):
        return _score(job, tell)


def _score(job: ScoringJob, tell: Tell) -> tuple[Manifest, Path]:
    version = job.version or _champion(job)
    folder = job.directory / "models" / version
    if not folder.is_dir():
        raise BatchError(f"version {version} of {job.system} is not at hand; release it first")
    if job.output is not None and job.output.suffix not in FORMATS:
        raise BatchError(f"output {job.output}: allowed a file ending in {' or '.join(FORMATS)}")
    source, file = find_input(job.input, job.endpoint)
    _require_own(job.output, file)
    model = loaded(job, version, folder)
    table = open_table(source, model.schema.columns, job.key, job.format)
    model_hash = tree_digest(folder)
    settings = job.model_dump(mode="json", include={"system", "key", "output_range", "chunk_rows"})
    settings |= {"format": job.format} if job.format else {}
    decisive = {**settings, "version": version, "model": model_hash, "input": table.sha256}
    name = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]
    output = job.output or job.workdir / f"scores-{name}.csv"
    work = _Work(job, model, table, name, model_hash, job.workdir / "work" / name)
    if (done := read_manifest(output)) is not None and done.job == name:
        _tidy(work.folder)
        return done, output
    with _only_one(work.folder):
        return _publish(work, _chunks(work, tell), output), output


def _require_own(output: Path | None, given: Path) -> None:
    """Refuse to put the output where something else is: the rows themselves, or anything that no job wrote.

    Raises:
        BatchError: it would be lost.
    """
    if output is None or not output.exists():
        return
    if not output.is_file():
        raise BatchError(f"output {output}: is no file; name one")
    if output.samefile(given):
        raise BatchError(f"output {output}: is the input itself; name another file")
    # A job that was killed between its output and the manifest left the one without the other.
    if manifest_of(output).exists() or output.stat().st_size == 0:
        return
    with output.open("rb") as file:
        start = file.read(_START)
    if not start.startswith((_CSV_START, _JSONL_START)):
        raise BatchError(f"output {output}: holds something that no scoring wrote; name another file, or remove it")


def read_manifest(output: Path) -> Manifest | None:
    """Return what was done for an output; None unless the output is there, whole and unchanged."""
    try:
        manifest = Manifest.model_validate_json(manifest_of(output).read_bytes())
        with output.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == manifest.output_sha256
    except (OSError, ValueError):
        return None
    return manifest if same else None


def _champion(job: ScoringJob) -> str:
    try:
        releases = Releases.read(job.directory)
    except ValueError as error:
        raise BatchError(str(error)) from None
    if releases.stopped:
        raise BatchError(f"{job.system} was stopped by {releases.stopped.who}: {releases.stopped.why}; resume it first")
    champion = releases.champion
    if champion is None:
        raise BatchError(f"{job.system} has no released version; release one first")
    return champion


def loaded(job: ScoringJob, version: str, folder: Path) -> ServedModel:
    """Load a version as the API does.

    Raises:
        BatchError: it cannot be loaded.
    """
    try:
        return load(version, folder)
    except Exception as error:  # a model's flavour may raise anything
        raise BatchError(f"version {version} of {job.system} cannot be loaded: {error}") from error


@dataclass(frozen=True)
class _Work:
    """A job with what it was found to be about; `folder` holds its finished chunks."""

    job: ScoringJob
    model: ServedModel
    table: Table
    name: str
    model_hash: str
    folder: Path


def _chunks(work: _Work, tell: Tell) -> list[Path]:
    predictor, table, size = Predictor(work.job.serving()), work.table, work.job.chunk_rows
    files = []
    for start in range(0, table.rows, size):
        stop = min(start + size, table.rows)
        tell(start, table.rows)
        file = work.folder / f"{start:012d}-{stop:012d}.jsonl"
        if not file.exists():
            lines = _scored(work, predictor, list(table.chunk(start, stop)), start)
            _write(file, [f"{json.dumps(line)}\n".encode() for line in lines])
        files.append(file)
    tell(table.rows, table.rows)
    return files


def _scored(
    work: _Work, predictor: Predictor, rows: Sequence[tuple[dict[str, Any], Any]], start: int
) -> list[dict[str, Any]]:
    """Return one line for each row: its prediction, or the reason why it has none."""
    model = work.model
    checked: list[tuple[int, dict[str, Any]]] = []
    refusals: dict[int, str] = {}
    for at, (row, _) in enumerate(rows):
        try:
            checked.append((at, model.schema.check([row])[0]))
        except ProblemError as problem:
            refusals[at] = _reason(problem)
    predictions = dict(_predicted(predictor, model, checked, refusals))
    fields, lines = fields_of(model), []
    for at, (_, key) in enumerate(rows):
        line: dict[str, Any] = {"row": start + at + 1, "key": key, "version": model.version}
        if at in predictions:
            line |= {"status": "scored", **model.output.cells(predictions[at]), "reason": None}
        else:
            line |= {"status": "refused", **dict.fromkeys(model.output.columns), "reason": refusals[at]}
        lines.append({field: line[field] for field in fields})
    return lines


def _predicted(
    predictor: Predictor, model: ServedModel, checked: Sequence[tuple[int, dict[str, Any]]], refusals: dict[int, str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the prediction of each row; where together they are refused, halves are tried down to the rows at fault."""
    if not checked:
        return
    try:
        values = predictor.values(model, [row for _, row in checked])
    except ProblemError as problem:
        if len(checked) == 1:
            refusals[checked[0][0]] = _reason(problem)
            return
        middle = len(checked) // 2
        for half in (checked[:middle], checked[middle:]):
            yield from _predicted(predictor, model, half, refusals)
        return
    yield from zip((at for at, _ in checked), model.output.predictions(values), strict=True)


def _reason(problem: ProblemError) -> str:
    fields = [(one["path"].removeprefix("instances[0]."), one["got"], one["fix"]) for one in problem.details]
    details = [f"{field}: got {got}, {fix}" for field, got, fix in fields]
    return f"{problem.code}: {'; '.join(details) or problem.message}"


def _publish(work: _Work, chunks: Sequence[Path], output: Path) -> Manifest:
    output.parent.mkdir(parents=True, exist_ok=True)
    # Without its manifest an older output is not taken for a good one while the new one comes.
    manifest_of(output).unlink(missing_ok=True)
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()

    def lines() -> Iterator[dict[str, Any]]:
        for chunk in chunks:
            for text in chunk.read_text(encoding="utf-8").splitlines():
                line = json.loads(text)
                counts[line["status"]] += 1
                if line["reason"]:
                    reasons[line["reason"].partition(":")[0]] += 1
                yield line

    _write(output, (text.encode() for text in _formatted(lines(), fields_of(work.model), output.suffix)))
    with output.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if counts.total() != work.table.rows:
        raise BatchError(
            f"{output}: {counts.total()} lines for {work.table.rows} rows; remove {work.folder}, run again"
        )
    manifest = Manifest(
        job=work.name,
        system=work.job.system,
        version=work.model.version,
        model_sha256=work.model_hash,
        input=work.job.input,
        input_sha256=work.table.sha256,
        output=output.name,
        output_sha256=digest,
        rows=work.table.rows,
        scored=counts["scored"],
        refused=counts["refused"],
        reasons=dict(sorted(reasons.items())),
    )
    _write(manifest_of(output), [f"{manifest.model_dump_json(indent=1)}\n".encode()])
    for chunk in chunks:
        chunk.unlink(missing_ok=True)
    return manifest


def _tidy(folder: Path) -> None:
    """Remove what a job left that was killed when all was done but this."""
    left = list(folder.glob("*.jsonl"))
    if not left:
        return
    with suppress(BatchError), _only_one(folder):
        for chunk in left:
            chunk.unlink(missing_ok=True)


def fields_of(model: ServedModel) -> tuple[str, ...]:
    """Return the fields of a line of a model's scores."""
    return (*_BEFORE, *model.output.columns, *_AFTER)


def _formatted(lines: Iterator[dict[str, Any]], fields: Sequence[str], suffix: str) -> Iterator[str]:
    if suffix == ".jsonl":
        yield from (json.dumps(line) + "\n" for line in lines)
        return
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fields, lineterminator="\n")
    writer.writeheader()
    for line in lines:
        writer.writerow(line)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _write(path: Path, content: Iterable[bytes]) -> None:
    with files.replacing(path) as file:
        file.writelines(content)


@contextmanager
def _only_one(work: Path) -> Iterator[None]:
    """Hold a job's lock.

    Raises:
        BatchError: another process runs the same job.
    """
    with ExitStack() as held:
        try:
            held.enter_context(files.locked(work / "lock", wait=False))
        except BlockingIOError:
            raise BatchError(f"the same job is running already; its chunks are in {work}") from None
        yield
