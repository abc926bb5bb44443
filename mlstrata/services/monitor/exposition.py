"""What Prometheus reads of the verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlstrata.services.monitor.names import FAILED, FOUND, LIMIT, ROWS, TRUTHS, VALUES
from mlstrata.services.monitor.verdict import Verdict


def exposition(verdicts: Iterable[Verdict]) -> str:
    """Return the verdicts in Prometheus's text format."""
    series: dict[str, list[str]] = {}
    for verdict in verdicts:
        for name, labels, value in _of(verdict):
            said = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
            series.setdefault(name, []).append(f"{name}{{{said}}} {value!r}")
    return "".join(f"# TYPE {name} gauge\n" + "\n".join(lines) + "\n" for name, lines in series.items())


def _of(verdict: Verdict) -> Iterator[tuple[str, dict[str, str], float]]:
    which = {"system": verdict.system, "version": verdict.version or "none"}
    yield FAILED, which, float(verdict.state in {"failed", "no_reference"})
    yield ROWS, which, float(verdict.rows)
    yield TRUTHS, which, float(verdict.truths)
    for source, rows in verdict.fallback.items():
        yield "mlstrata_fallback_rows", {**which, "to": source}, float(rows)
    for one in verdict.findings:
        labels = {**which, "column": one.of}
        yield VALUES[one.watch], labels, one.value
        watched = {**labels, "watch": one.watch.value}
        yield FOUND, watched, float(one.alert)
        if one.limit is not None:
            yield LIMIT, watched, one.limit


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
