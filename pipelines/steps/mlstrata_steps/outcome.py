"""How a step ends when it does not succeed, in words that reach the terminal.

A step that judges the data or the model raises `StepRefused` with every reason; one that cannot do its work because of
a setting or an unreachable service raises `StepError`. Anything else is a fault of the step itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

MARKER = "mlstrata-step-ended "
"""What starts the one line of a step's output that says why it stopped; the rest of the line is JSON."""

PROGRESS = "mlstrata-step-progress "
"""What starts a line that says how far a step is; the rest of the line is JSON."""


class StepError(Exception):
    """The step could not run: a setting is wrong or something it needs is missing."""


class StepRefused(Exception):
    """The step ran and judged that the run must stop.

    Attributes:
        reasons: One sentence each: what was measured, what was allowed, where.
    """

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


@dataclass(frozen=True)
class Check:
    """One thing that a step looked at.

    Attributes:
        name: What was checked, for people.
        passed: Whether it holds; a failed check refuses the run unless it only warns.
        detail: What was measured against what was allowed.
        warns: A failure is shown, and stops nothing.
    """

    name: str
    passed: bool
    detail: str
    warns: bool = False

    @property
    def refuses(self) -> bool:
        """Whether this check stops the run."""
        return not self.passed and not self.warns


def report_of(
    checks: Sequence[Check], numbers: Mapping[str, float | None] | None = None, **more: object
) -> dict[str, object]:
    """Put a gate's checks into the form in which they travel between steps and to the registry.

    Args:
        checks: What the gate looked at.
        numbers: What it measured, by metric name; those that could not be measured (None) are left out.
        more: Anything else worth keeping, as plain JSON values.

    Returns:
        `passed`, `checks`, `numbers` and `more`.
    """
    return known(
        {
            "passed": not any(check.refuses for check in checks),
            "checks": [asdict(check) for check in checks],
            "numbers": {name: None if value is None else float(value) for name, value in (numbers or {}).items()},
            **more,
        }
    )


def known(document: Mapping[str, object]) -> dict[str, object]:
    """Leave out what is None, at any depth: a step's outputs travel in structures that have no such value."""
    return {name: _known(value) for name, value in document.items() if value is not None}


def _known(value: object) -> object:
    if isinstance(value, Mapping):
        return known(value)
    return [_known(one) for one in value if one is not None] if isinstance(value, list | tuple) else value


def require(report: Mapping[str, object]) -> None:
    """Stop the run over a report with failed checks.

    Raises:
        StepRefused: With the detail of each failed check.
    """
    checks = [Check(**check) for check in report["checks"]]  # type: ignore[attr-defined]
    failed = [f"{check.name}: {check.detail}" for check in checks if check.refuses]
    if failed:
        raise StepRefused(failed)


@contextlib.contextmanager
def reporting(step: str) -> Iterator[None]:
    """Turn a refusal or a step's error into one marked line and exit code 1, with no traceback.

    Args:
        step: The step's name, repeated in the line.

    Raises:
        SystemExit: With code 1 after a `StepRefused` or `StepError`; other exceptions pass through.
    """
    try:
        yield
    except StepRefused as refused:
        _end(step, "refused", refused.reasons)
    except StepError as error:
        _end(step, "error", (str(error),))


def gated(
    step: str, path: str, check: Callable[..., Mapping[str, object]], *inputs: object, **settings: object
) -> dict[str, object]:
    """Run a gate as an orchestrator's step: its report is written, then failed checks end the process (`reporting`).

    Args:
        step: The step's name.
        path: Where the report goes, whether it passed or not.
        check: The gate's function; it gets `inputs` and `settings`, and returns a report (`report_of`).
        inputs: By position.
        settings: By name.

    Returns:
        The report.

    Raises:
        SystemExit: With code 1 when the gate refuses or cannot run.
    """
    with reporting(step):
        found = dict(check(*inputs, **settings))
        write_json(path, found)
        require(found)
    return found


def telling(step: str) -> Callable[[str], None]:
    """Give a function that says how far a step is: one marked line of output a call."""

    def tell(text: str) -> None:
        sys.stdout.write(PROGRESS + json.dumps({"step": step, "text": text}) + "\n")
        sys.stdout.flush()

    return tell


def _end(step: str, kind: str, reasons: Sequence[str]) -> None:
    line = MARKER + json.dumps({"step": step, "kind": kind, "reasons": list(reasons)})
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    raise SystemExit(1)


def write_json(path: str, document: object) -> None:
    """Write a report so that a reader never sees half of it."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    staged.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    staged.replace(target)


def read_json(path: str) -> dict[str, object]:
    """Read a report that an earlier step wrote."""
    document: dict[str, object] = json.loads(Path(path).read_text(encoding="utf-8"))
    return document
