"""A verdict does not depend on the way: `mlstrata check`, the gate of `up`, and the pack as the Pulumi CLI asks it.

Compared are policy, resource, level and words, of every shipped environment, every fixture of every policy (each of
which has the faults that it is for) and faults planted in an environment.
"""

import shutil
from pathlib import Path

import pytest

from mlstrata.environments import Workspace, days, load_with_places
from mlstrata.operations import policy_check
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.policy_check import planned, report_on
from mlstrata.operations.policy_gate import Gate, Refused
from mlstrata.policies.adapters.embedded_graph import records
from mlstrata.policies.adapters.pulumi_analyzer import Analyzer
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.fixtures.by_policy import cases_of
from mlstrata.policies.fixtures.compliant_world import compliant
from mlstrata.policies.judge import judge
from mlstrata.policies.rules import RULES
from pulumi_embedded.register import Registrar
from tests.support.declaration import declaration
from tests.support.policy_ways import PLAIN_TEXT, graph_of, said_by_check, said_by_pack

ROOT = Path(__file__).parents[3]
CASES = [pytest.param(rule, case, id=f"{rule.id}: {case.title}") for rule in RULES for case in cases_of(rule)]


def today():
    return days.today()


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """The shipped environments and their exemptions, in a workspace of their own."""
    for file in [*(ROOT / "environments").rglob("*.yaml"), ROOT / "policies/exemptions.yaml"]:
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    return Workspace(tmp_path)


@pytest.fixture
def states(monkeypatch):
    """What is known of each resource after a plan: what the engine registered, the last run last."""
    registrars = []
    made = Registrar.__init__
    monkeypatch.setattr(Registrar, "__init__", lambda self, run: (made(self, run), registrars.append(self))[0])
    return lambda: {urn: state.outputs for one in registrars for urn, state in one.states.items()}


def outputs_of(graph, known):
    """What the CLI knows of components and dynamic resources: what they registered, or what they were given."""
    ours = [one for one in graph if not one.custom or one.type.startswith("pulumi-python:")]
    return {one.urn: known[one.urn] for one in ours}


@pytest.mark.parametrize("faulty", [False, True], ids=["", "with faults"])
@pytest.mark.parametrize("name", ["local", "dev", "staging", "prod"])
def test_each_way_says_the_same_of_a_shipped_environment(workspace, states, monkeypatch, name, faulty):
    file = workspace.environment_file(name)
    if faulty:
        text = file.read_text(encoding="utf-8")
        assert "tier: high" in text
        file.write_text(text.replace("tier: high", "tier: limited", 1), encoding="utf-8")
        (workspace.root / "policies/exemptions.yaml").write_text("exemptions: []\n")
    deployment = Deployment(workspace, load_with_places(file))
    plan = planned(deployment)
    known = states()
    checked = report_on(deployment, plan, today())
    outcomes = {one.outcome for one in checked.results}
    assert (Outcome.FAIL in outcomes) if faulty else (Outcome.EXEMPT in outcomes)
    reports = []
    monkeypatch.setattr(
        policy_check, "report_on", lambda *given, **more: reports.append(report_on(*given, **more)) or reports[-1]
    )
    gate = Gate(deployment)
    if checked.passed:
        gate.approve(plan)
    else:
        with pytest.raises(Refused):
            gate.approve(plan)
    (by_gate,) = reports
    assert said_by_check(by_gate) == said_by_check(checked)
    assert said_by_pack(Analyzer(), plan.graph, outputs_of(plan.graph, known)) == said_by_check(checked)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A workspace without exemptions, and the pack in it."""
    root = tmp_path_factory.mktemp("bare")
    (root / "environments").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLSTRATA_WORKSPACE", str(root))
        yield Workspace(root), Analyzer()


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_each_way_says_the_same_of_a_fixture(bare, rule, case):
    workspace, pack = bare
    world = compliant()
    for edit in case.edits:
        edit(world)
    graph = graph_of([*declaration(world.environment), *world.resources.values()])
    checked = judge(records(graph), workspace, "prod", today())
    told = said_by_pack(pack, graph)
    assert told == said_by_check(checked)
    assert PLAIN_TEXT not in str(told)
