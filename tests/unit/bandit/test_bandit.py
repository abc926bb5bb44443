"""The bandit router under the real Seldon microservice wrapper."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlstrata.services.bandit.router import EpsilonGreedyRouter
from tests.support.patience import PATIENCE, eventually
from tests.support.ports import free_port

pytestmark = pytest.mark.seldon


@given(
    branches=st.integers(1, 6),
    epsilon=st.floats(0, 1),
    rewards=st.lists(st.tuples(st.integers(-2, 8), st.floats(-2, 3)), max_size=40),
)
def test_routes_stay_inside_the_graph_and_rewards_are_counted_once(branches, epsilon, rewards):
    router = EpsilonGreedyRouter(branches, epsilon, seed=1)
    for branch, reward in rewards:
        assert 0 <= router.route(None, []) < branches
        router.send_feedback(None, [], reward, None, routing=branch)
    credited = [branch for branch, _ in rewards if 0 <= branch < branches]
    assert router.pulls == [credited.count(branch) for branch in range(branches)]
    assert all(0 <= total <= pulls for total, pulls in zip(router.rewards, router.pulls, strict=True))


def test_the_rewarded_branch_gets_most_requests():
    router = EpsilonGreedyRouter(3, 0.1, seed=7)
    paid = [0.1, 0.2, 0.9]
    taken = []
    for _ in range(500):
        branch = router.route(None, [])
        taken.append(branch)
        router.send_feedback(None, [], paid[branch], None, routing=branch)
    assert taken[100:].count(2) / 400 > 0.85


def test_rewards_outlive_a_restart(tmp_path: Path):
    state = str(tmp_path / "bandit.json")
    first = EpsilonGreedyRouter(2, 0.0, seed=1, state=state)
    first.send_feedback(None, [], 1.0, None, routing=1)
    second = EpsilonGreedyRouter(2, 0.0, seed=1, state=state)
    assert (second.pulls, second.rewards) == ([0, 1], [0.0, 1.0])


@pytest.mark.parametrize(("arguments", "named"), [({"branches": 0}, "branches"), ({"epsilon": 1.5}, "epsilon")])
def test_bad_parameters_are_refused_by_name(arguments, named):
    with pytest.raises(ValueError, match=named):
        EpsilonGreedyRouter(**arguments)


def test_seldon_serves_it(tmp_path: Path):
    port = free_port()
    settings = {"branches": 2, "epsilon": 0.0, "seed": 3, "state": str(tmp_path / "bandit.json")}
    gunicorn = Path(sys.executable).with_name("gunicorn")
    process = subprocess.Popen(
        [gunicorn, "-b", f"127.0.0.1:{port}", "-w", "1", "mlstrata.services.bandit.app:app"],
        env={**os.environ, "MLSTRATA_BANDIT": json.dumps(settings), "PREDICTIVE_UNIT_ID": "bandit"},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def call(path: str, document: dict) -> dict:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}",
            json.dumps(document).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def answers() -> bool:
        assert process.poll() is None
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ping", timeout=PATIENCE).close()
        except OSError:
            return False
        return True

    def routed() -> int:
        return int(call("/route", {"data": {"ndarray": [[1.0]]}})["data"]["ndarray"][0][0])

    try:
        eventually(answers)
        for branch, reward in ((0, 0.0), (1, 1.0)):
            call(
                "/send-feedback",
                {
                    "request": {"data": {"ndarray": [[1.0]]}},
                    "response": {"meta": {"routing": {"bandit": branch}}, "data": {"ndarray": [[1.0]]}},
                    "reward": reward,
                },
            )
        assert [routed() for _ in range(5)] == [1] * 5
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_a_reward_that_is_no_number_is_none():
    router = EpsilonGreedyRouter(2, 0.0, seed=1)
    for reward in (float("nan"), float("inf"), 1.0):
        router.send_feedback(None, [], reward, None, routing=1)
    assert (router.pulls, router.rewards) == ([0, 1], [0.0, 1.0])


@pytest.mark.parametrize("kept", ["", "[]", '{"pulls": [1, 1]}', '{"pulls": [1, 1], "rewards": [NaN, 0]}', "{", '"x"'])
def test_what_was_kept_and_cannot_be_read_keeps_nothing_from_being_routed(tmp_path: Path, kept: str):
    (tmp_path / "bandit.json").write_text(kept, encoding="utf-8")
    router = EpsilonGreedyRouter(2, 0.0, seed=1, state=str(tmp_path / "bandit.json"))
    assert (router.pulls, router.rewards) == ([0, 0], [0.0, 0.0])
    assert router.route(None, []) in {0, 1}
