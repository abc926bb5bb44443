"""Epsilon-greedy choice between the branches of a Seldon inference graph.

With probability `epsilon` a branch is drawn at random, otherwise the one with the best mean reward so
far is taken (Sutton and Barto, Reinforcement Learning, section 2.4). State lives in the process, so it
is served by one worker; it is written to a file after each reward and read again at a restart.
"""

from __future__ import annotations

import json
import logging
import math
import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlstrata.files import write


class EpsilonGreedyRouter:
    """Seldon component of type ROUTER.

    Args:
        branches: number of children in the graph, at least 1.
        epsilon: share of requests that explore, in [0, 1].
        seed: of the random choices; None draws one.
        state: file that keeps pulls and rewards over a restart; None keeps them in memory only.

    Raises:
        ValueError: a parameter is outside its range.
    """

    def __init__(
        self, branches: int = 2, epsilon: float = 0.1, seed: int | None = None, state: str | None = None
    ) -> None:
        # Seldon passes graph parameters as text when they come from the environment.
        self.epsilon = float(epsilon)
        count = int(branches)
        if count < 1:
            raise ValueError(f"branches: got {branches}; allowed 1 or more; a router needs a branch to choose")
        if not 0.0 <= self.epsilon <= 1.0:
            raise ValueError(f"epsilon: got {epsilon}; allowed 0 to 1; 0.1 explores one request in ten")
        self._random = random.Random(seed)  # noqa: S311 - exploration, not a secret
        self._state = Path(state) if state else None
        self._lock = threading.Lock()
        self.pulls = [0] * count
        self.rewards = [0.0] * count
        self._restore()

    def route(self, features: object, feature_names: Sequence[str]) -> int:  # noqa: ARG002 - Seldon's signature
        """Return the index of the branch that serves this request."""
        with self._lock:
            untried = [branch for branch, pulls in enumerate(self.pulls) if pulls == 0]
            if self._random.random() < self.epsilon:
                return self._random.randrange(len(self.pulls))
            if untried:
                return self._random.choice(untried)
            return max(range(len(self.pulls)), key=self._mean)

    def send_feedback(
        self,
        features: object,  # noqa: ARG002 - Seldon's signature
        feature_names: Sequence[str],  # noqa: ARG002 - Seldon's signature
        reward: float,
        truth: object,  # noqa: ARG002 - Seldon's signature
        routing: int | None = None,
    ) -> None:
        """Credit `reward` (in [0, 1]) to the branch that had served the request."""
        # A reward that is no number would be the mean of its branch for ever.
        if routing is None or not 0 <= int(routing) < len(self.pulls) or not math.isfinite(float(reward)):
            return
        with self._lock:
            self.pulls[int(routing)] += 1
            self.rewards[int(routing)] += min(max(float(reward), 0.0), 1.0)
            self._save()

    def metrics(self) -> list[dict[str, Any]]:
        """Return each branch's pulls and mean reward in Seldon's custom-metric form."""
        gauges = []
        for branch, pulls in enumerate(self.pulls):
            tags = {"branch": str(branch)}
            gauges.append({"type": "GAUGE", "key": "mlstrata_bandit_pulls", "value": pulls, "tags": tags})
            gauges.append({"type": "GAUGE", "key": "mlstrata_bandit_reward", "value": self._mean(branch), "tags": tags})
        return gauges

    def _mean(self, branch: int) -> float:
        return self.rewards[branch] / self.pulls[branch] if self.pulls[branch] else 0.0

    def _restore(self) -> None:
        if self._state is None or not self._state.exists():
            return
        try:
            saved = json.loads(self._state.read_text(encoding="utf-8"))
            pulls, rewards = [int(one) for one in saved["pulls"]], [float(one) for one in saved["rewards"]]
        except (ValueError, TypeError, KeyError, OverflowError):
            logging.getLogger(__name__).exception("%s cannot be read; it begins anew", self._state)
            return
        sound = all(math.isfinite(one) for one in rewards) and min(pulls, default=0) >= 0
        if sound and len(pulls) == len(rewards) == len(self.pulls):  # else it is another experiment
            self.pulls, self.rewards = pulls, rewards

    def _save(self) -> None:
        if self._state is not None:
            write(self._state, json.dumps({"pulls": self.pulls, "rewards": self.rewards}))
