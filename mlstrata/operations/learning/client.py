"""The learning process, asked as a person: a training by hand, and where a system's learning is."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlstrata.environments import Capability
from mlstrata.operations.deciding import deciding_user
from mlstrata.operations.errors import Failed, UsageError

if TYPE_CHECKING:
    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.reporting import Reporter

POLL_SECONDS = 0.5
_SECONDS = 30.0
_LONGEST = 300


@dataclass(frozen=True)
class Retrained:
    """How far a training by hand came.

    Attributes:
        system: The system.
        training: Its identity.
        state: `rolling` while its version takes over, else `ended`.
        outcome: How it ended; empty: it has not.
        version: The version that it made; empty: none.
        why: Why it ended so.
        named: Which data it learnt from, in words.
        decisions: What was decided on its way, oldest first.
    """

    system: str
    training: str
    state: str
    outcome: str
    version: str
    why: str
    named: str
    decisions: tuple[dict[str, Any], ...] = field(default=())


class Learning:
    """A client of an environment's learning process.

    Raises:
        Failed: by everything in here, where it does not answer or refuses.
    """

    def __init__(self, deployment: Deployment) -> None:
        if Capability.RETRAINING not in deployment.spec.capabilities:
            raise UsageError(
                f"{deployment.file}: environment {deployment.name} has no capability 'retraining' at stage "
                f"'{deployment.spec.stage}'; it comes with stage 'mature'"
            )
        local = deployment.target.here("retrain")
        self._name, self._url = deployment.name, local.address("learning")
        path = deployment.home / "config/learning/token"
        try:
            token = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            up = f"`mlstrata up {deployment.name}` writes it"
            raise UsageError(f"{path}: {error.strerror}; {up}") from None
        self._headers = {"authorization": f"Bearer {token}"}

    def ask(self, system: str, reason: str, who: str) -> str:
        """Ask for a training; return the wish's identity."""
        wish = uuid.uuid4().hex
        self._call("POST", f"/systems/{system}/retrain", json={"id": wish, "who": who, "reason": reason})
        return wish

    def training_of(self, system: str, wish: str) -> str:
        """Return the training that a wish started; empty: none yet."""
        return str(self._call("GET", f"/systems/{system}/retrain/{wish}")["training"])

    def state(self, system: str, limit: int = 100) -> dict[str, Any]:
        """Return where a system's learning is, with its newest trainings and decisions, newest first."""
        return self._call("GET", f"/systems/{system}?limit={limit}")

    def decisions(self, system: str, after: int) -> Iterator[dict[str, Any]]:
        """Yield the decisions about a system that are newer than one's number, oldest first."""
        for one in reversed(self.state(system)["decisions"]):
            if one["number"] > after:
                yield one

    def _call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        import httpx

        try:
            answer = httpx.request(
                method, self._url + path, headers=self._headers, timeout=_SECONDS, trust_env=False, **more
            )
        except httpx.HTTPError as error:
            said = f"the learning process at {self._url} does not answer ({error})"
            raise Failed(f"{said}; `mlstrata status {self._name}`") from None
        if answer.status_code not in (httpx.codes.OK, httpx.codes.ACCEPTED):
            raise Failed(f"the learning process refused ({answer.status_code}): {answer.text.strip()}")
        found: dict[str, Any] = answer.json()
        return found


def retrain(deployment: Deployment, system: str, reporter: Reporter, *, reason: str, who: str = "") -> Retrained:
    """Have a system learn from what was recorded, by the gates and the rollout that an alert's training has.

    Args:
        deployment: The environment.
        system: The system.
        reporter: Told each decision.
        reason: Why, for the journal and the audit log.
        who: Who asks; empty: who runs this.

    Raises:
        UsageError: there is no such system, no reason was given, or the environment has no learning process.
        Failed: it cannot start now, failed, or its version was refused or rolled back.
    """
    deployment.system(system)
    if not reason.strip() or len(reason.strip()) > _LONGEST:
        raise UsageError(
            f"--reason: got {len(reason.strip())} characters; allowed 1 to {_LONGEST}; say why it should learn again"
        )
    learning = Learning(deployment)
    seen = max((one["number"] for one in learning.state(system)["decisions"]), default=0)
    wish = learning.ask(system, reason.strip(), who or deciding_user())
    told: list[dict[str, Any]] = []
    with reporter.working(f"retraining {system} …") as working:
        while True:
            for one in learning.decisions(system, seen):
                seen = one["number"]
                told.append(one)
                reporter.note(f"{one['kind']}: {one['reason']}")
                working(f"retraining {system} · {one['kind']}")
            identity = learning.training_of(system, wish)
            found = next((one for one in learning.state(system)["trainings"] if one["id"] == identity), None)
            if found and found["state"] in {"rolling", "ended"}:
                return _ended(system, found, tuple(told))
            if not identity and told and told[-1]["kind"] in {"waits", "problem"}:
                raise Failed(f"{system} does not learn now: {told[-1]['reason']}; it begins by itself once it can")
            time.sleep(POLL_SECONDS)


def _ended(system: str, found: dict[str, Any], told: tuple[dict[str, Any], ...]) -> Retrained:
    outcome = found["outcome"] or ""
    if outcome not in {"", "released"}:
        raise Failed(f"retraining {system}: {outcome.replace('_', ' ')}: {found['why']}")
    return Retrained(
        system=system,
        training=found["id"],
        state=found["state"],
        outcome=outcome,
        version=found["version"],
        why=found["why"],
        named=found["named"],
        decisions=told,
    )
