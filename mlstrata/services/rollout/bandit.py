"""Shares of traffic from rewards: each version gets as much as it is likely to be the better one (Thompson, 1933)."""

from __future__ import annotations

import numpy as np

from mlstrata.services.rollout.evidence import Mean

_DRAWS, _SEED = 20_000, 20261130
"""The same draws each time, so that the same rewards give the same share."""


def better(candidate: Mean, champion: Mean) -> float:
    """Return the probability that the candidate's mean reward, between 0 and 1, is the larger one.

    Beta-Bernoulli from a flat prior; a reward between 0 and 1 counts as that much of a success.
    """
    drawn = np.random.default_rng(_SEED)
    ours, theirs = (drawn.beta(1 + _won(one), 1 + one.count - _won(one), _DRAWS) for one in (candidate, champion))
    return float((ours > theirs).mean())


def share(probability: float, exploration: float) -> int:
    """Return the candidate's percent of the traffic; neither version gets less than half of what explores."""
    floor = exploration / 2
    return round(100 * min(max(probability, floor), 1 - floor))


def _won(rewards: Mean) -> float:
    return min(max(rewards.total, 0.0), float(rewards.count))
