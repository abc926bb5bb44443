"""What a shadow would have said otherwise."""

from __future__ import annotations

import numpy as np

from mlstrata.services.rollout.evidence import Evidence


def disagreement(evidence: Evidence) -> str:
    """Say how far the scores of both versions differ, on the same requests and over all of them."""
    ours, theirs = evidence.candidate.scores, evidence.champion.scores
    shared = ours.keys() & theirs.keys()
    if not shared:
        return "no request was answered by both"
    pairs = np.array([(ours[one], theirs[one]) for one in sorted(shared)])
    apart = np.abs(pairs[:, 0] - pairs[:, 1])
    return (
        f"on {len(shared)} rows that both answered the scores differ by {apart.mean():.4g} in the mean and "
        f"{apart.max():.4g} at most; largest distance between their distributions {_distance(pairs):.3f}"
    )


def _distance(pairs: np.ndarray) -> float:
    """Return the Kolmogorov-Smirnov distance between the two columns."""
    at = np.sort(pairs.ravel())
    shares = [np.searchsorted(np.sort(column), at, side="right") / len(pairs) for column in pairs.T]
    return float(np.abs(shares[0] - shares[1]).max())
