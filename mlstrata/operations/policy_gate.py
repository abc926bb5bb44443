"""What stops `mlstrata up`: the policies, asked on the plan that it makes anyway, before anything changes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.policies.core.evaluate import Report


@dataclass(frozen=True)
class Verdict:
    """What the policies said of a plan.

    Attributes:
        line: The counts in one line, for people.
        document: The counts, and what blocks, for machines.
    """

    line: str
    document: dict[str, Any]

    @classmethod
    def of(cls, report: Report) -> Verdict:
        """Return what a report comes to."""
        from mlstrata.policies.reports.text import summary

        blocking = [
            {"policy": one.rule.id, "subject": one.subject, "reason": one.reason, "fix": one.fix}
            for one in report.results
            if one.blocking
        ]
        document = {
            "counts": report.counts,
            "warnings": sum(one.warning for one in report.results),
            "blocking": blocking,
            "errors": list(report.errors),
        }
        return cls(summary(report), document)


class Refused(Failed):
    """The policies refuse a plan; nothing was changed.

    Attributes:
        report: What they say.
    """

    def __init__(self, deployment: Deployment, report: Report) -> None:
        from mlstrata.operations.policy_check import places_of
        from mlstrata.policies.reports.text import refusal

        places = places_of(deployment)
        super().__init__(
            f"{deployment.name} is not brought up, and nothing was changed: its policies refuse it\n"
            f"{refusal(report, places)}\n"
            f"`mlstrata check {deployment.name}` says everything; policies/README.md says how to have one exempted"
        )
        self.report = report


class Gate:
    """Judges a plan once, and keeps what was said."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.verdict: Verdict | None = None

    def approve(self, planned: pulumi_embedded.Result) -> None:
        """Refuse a plan that a policy blocks, or whose exemptions expired or cover nothing.

        Raises:
            Refused: with every reason.
            UsageError: the exemptions are malformed.
        """
        from mlstrata.operations.policy_check import report_on

        report = report_on(self._deployment, planned)
        if not report.passed:
            raise Refused(self._deployment, report)
        self.verdict = Verdict.of(report)


@contextmanager
def leaving_nothing(deployment: Deployment) -> Iterator[None]:
    """Remove the passphrase that a refused first `up` made: without a state it opens nothing."""
    made = not deployment.passphrase_file.exists()
    try:
        yield
    except (Refused, UsageError):
        if made and not deployment.checkpoint.exists():
            deployment.passphrase_file.unlink(missing_ok=True)
            for folder in (deployment.home, deployment.home.parent):
                if folder.exists() and {path.name for path in folder.iterdir()} <= {".gitignore"}:
                    shutil.rmtree(folder)
        raise
