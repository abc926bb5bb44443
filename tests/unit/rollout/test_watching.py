"""A comparison that is watched after every request claims a difference no more often than it says."""

import numpy as np
import pytest

from mlstrata.services.rollout.sequence import ALPHA, FEWEST, difference, share_of, share_variance

RUNS, REQUESTS = 1_000, 2_000


def watched(ours, theirs, share, *, runs=RUNS, requests=REQUESTS, seed=7):
    """Return the shares of runs in which the candidate was ever found to have more, and fewer, and when first."""
    rng = np.random.default_rng(seed)
    drawn = rng.random((runs, requests)) < share
    hits = rng.random((runs, requests)) < np.where(drawn, ours, theirs)
    n, k = np.cumsum(drawn, 1, dtype=float), np.cumsum(drawn & hits, 1, dtype=float)
    other, misses = np.cumsum(~drawn, 1, dtype=float), np.cumsum(~drawn & hits, 1, dtype=float)
    enough = (n >= FEWEST) & (other >= FEWEST)
    n, other = np.maximum(n, 1), np.maximum(other, 1)
    found = difference(
        (n, k / n, share_variance(k, n)), (other, misses / other, share_variance(misses, other)), tightest=500 / share
    )
    more, fewer = (found.low > 0) & enough, (found.high < 0) & enough
    first = np.where(more.any(1), more.argmax(1), requests)
    return more.any(1).mean(), fewer.any(1).mean(), float(np.median(first))


@pytest.mark.parametrize(("rate", "share"), [(0.01, 0.1), (0.3, 0.5)])
def test_without_a_difference_one_is_claimed_in_no_more_than_alpha_of_the_runs(rate, share):
    more, fewer, _ = watched(rate, rate, share)
    # Two standard errors above, as a thousand runs estimate it.
    assert more + fewer <= ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / RUNS)


def test_a_test_made_for_one_look_would_claim_far_too_many():
    """What the sequence is for: the simulation can tell a valid test from one that is not."""
    rng = np.random.default_rng(7)
    values = rng.standard_normal((RUNS, 1_000))
    n = np.arange(1, 1_001)
    z = np.abs(np.cumsum(values, 1)) / np.sqrt(n)
    assert (z[:, FEWEST:] > 1.96).any(1).mean() > 0.2


def test_a_difference_that_is_there_is_found():
    """Two points between rare events, and a candidate that always fails, after as few requests as may be judged."""
    more, fewer, _ = watched(0.03, 0.01, 0.5, runs=100, requests=12_000)
    assert (more, fewer) == (pytest.approx(1, abs=0.1), 0)
    always, _, first = watched(1.0, 0.01, 0.1, runs=100)
    assert (always, first <= 1.5 * FEWEST / 0.1) == (1, True)


def test_the_share_of_one_version_is_held_to_a_promise_in_the_same_way():
    rng = np.random.default_rng(3)
    n = np.arange(1, REQUESTS + 1, dtype=float)
    k = np.cumsum(rng.random((RUNS, REQUESTS)) < 0.01, 1, dtype=float)
    found = share_of(k, n)
    assert ((found.low > 0.01) & (n >= FEWEST)).any(1).mean() <= ALPHA
