"""How a rollout stands, written down by whoever decides about it: figures, questions, and what is decided next.

Plain values in a file: whoever shows them counts nothing again, and shows what was decided by.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from mlstrata.closed import Closed
from mlstrata.files import write
from mlstrata.services.serving.folders import releases_folder

if TYPE_CHECKING:
    from mlstrata.services.rollout.evidence import Evidence, Seen
    from mlstrata.services.rollout.judgement import Finding
    from mlstrata.services.rollout.plan import Decision, Plan
    from mlstrata.services.serving.running import Running

FILE = "rollout.json"
EVERY_SECONDS = 2.0
"""How often figures are written while the decision stays the same: no page is looked at more often."""


class Figures(Closed):
    """What one version did since the step began."""

    requests: int = Field(description="Requests that it answered or failed at.")
    errors: int = Field(description="Those with a status of 500 or more.")
    slow: int = Field(description="Those that took longer than the promised 99th percentile.")
    implausible: int = Field(description="Those whose prediction was withheld.")
    rows: int = Field(description="Rows of all of them.")
    fallbacks: int = Field(description="Rows that something else answered in the model's place.")
    truths: int = Field(description="Rows of which truth or reward is known.")
    worth: float | None = Field(description="Mean worth of these; None: of none it is known.")

    @classmethod
    def of(cls, seen: Seen) -> Figures:
        """Take them from what was counted."""
        return cls(
            requests=seen.requests,
            errors=seen.errors,
            slow=seen.slow,
            implausible=seen.implausible,
            rows=seen.rows,
            fallbacks=seen.fallbacks,
            truths=seen.value.count,
            worth=seen.value.mean if seen.value.count else None,
        )


class Question(Closed):
    """A question about the candidate, and what the figures say; in times of what is acceptable."""

    of: str = Field(description="What is asked.")
    words: str = Field(description="What was seen, in figures.")
    value: float = Field(description="How much worse the candidate seems; below 0 it is the better one.")
    low: float = Field(description="How much it is at least, at whatever moment it is looked at.")
    high: float = Field(description="How much at most.")
    limit: float = Field(default=1.0, description="What is acceptable.")
    alert: bool = Field(description="Whether it is worse, for certain.")
    fine: bool = Field(description="Whether it is, for certain, not worse by more than is acceptable.")

    @classmethod
    def of_finding(cls, found: Finding) -> Question:
        """Take it from what was judged."""
        return cls(
            of=found.of,
            words=found.words,
            value=found.value,
            low=found.low,
            high=found.high,
            alert=found.worse,
            fine=found.fine,
        )


class Standing(Closed):
    """How a rollout stood when it was decided about last."""

    at: float = Field(description="When, in seconds since 1970.")
    begun: datetime = Field(description="When the rollout began.")
    since: datetime = Field(description="When the step began.")
    champion: str = Field(description="The version that answers.")
    candidate: str = Field(description="The version that is tried.")
    shares: tuple[int, ...] = Field(description="Percent of the traffic at each step; 0: copies alone.")
    step: int = Field(description="Which step it is in, from 0.")
    min_sample: int = Field(description="Requests of the candidate that a step needs.")
    step_time: float = Field(description="Shortest time of a step, s.")
    action: str = Field(description="What is done next.")
    reason: str = Field(description="Why, in words and figures.")
    ours: Figures = Field(description="What the candidate did since the step began; of a bandit, the rollout.")
    theirs: Figures = Field(description="What the champion did.")
    questions: tuple[Question, ...] = Field(description="What is asked of the candidate, as far as figures answer.")

    @classmethod
    def of(
        cls, champion: str, running: Running, plan: Plan, decision: Decision, *, evidence: Evidence, now: float
    ) -> Standing:
        """Take it from what was decided about a rollout, and by what."""
        from mlstrata.services.rollout.judgement import findings

        return cls(
            at=now,
            begun=running.begun,
            since=running.since,
            champion=champion,
            candidate=running.candidate,
            shares=plan.shares,
            step=plan.step,
            min_sample=plan.min_sample,
            step_time=plan.step_time,
            action=decision.action.value,
            reason=decision.reason,
            ours=Figures.of(evidence.candidate),
            theirs=Figures.of(evidence.champion),
            questions=tuple(map(Question.of_finding, findings(plan, evidence))),
        )

    def is_of(self, running: Running) -> bool:
        """Say whether it is of this rollout, and of the step that it is in."""
        return (self.candidate, self.begun, self.since) == (running.candidate, running.begun, running.since)

    def leave(self, home: Path, system: str) -> None:
        """Write it down, unless the one that lies there says nearly the same.

        Raises:
            OSError: It cannot be written.
        """
        try:
            before = read_standing(home, system)
        except ValueError:
            before = None
        same = before is not None and (before.since, before.action) == (self.since, self.action)
        if before is not None and same and 0 <= self.at - before.at < EVERY_SECONDS:
            return
        write(releases_folder(home, system) / FILE, self.model_dump_json(indent=1) + "\n")


def read_standing(home: Path, system: str) -> Standing | None:
    """Return how the last rollout of a system stood; None: nobody decided about one yet.

    Raises:
        OSError, ValueError: It cannot be read, or is of another program.
    """
    path = releases_folder(home, system) / FILE
    try:
        return Standing.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ValueError(f"{path.relative_to(home)} is not what a rollout writes") from error
