"""The real Pulumi CLI with the policy pack says what `mlstrata check` says: policy, resource, level and words."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pulumi_embedded
from mlstrata.environments import Workspace, days
from mlstrata.policies.adapters.embedded_graph import records
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.core.values import SECRET, UNKNOWN
from mlstrata.policies.fixtures.by_policy import cases_of
from mlstrata.policies.fixtures.compliant_world import compliant
from mlstrata.policies.judge import judge
from mlstrata.policies.rules import IDS, RULES
from tests.support.declaration import declaration
from tests.support.policy_ways import graph_of, said_by_check, told_by_check, told_by_cli
from tests.support.pulumi_cli import Cli

ROOT = Path(__file__).parents[2]
UNKNOWN_TEXT, SECRET_TEXT = "<unknown>", "<secret>"
PROGRAM = f"""\
import asyncio, json, pathlib
import pulumi

def known(value):
    future = asyncio.get_event_loop().create_future()
    future.set_result(value)
    return future

def given(value):
    if value == {UNKNOWN_TEXT!r}:
        return pulumi.Output(known(set()), known(None), known(False))
    if value == {SECRET_TEXT!r}:
        return pulumi.Output.secret("plain text of a secret")
    if isinstance(value, dict):
        return {{key: given(inner) for key, inner in value.items()}}
    return [given(inner) for inner in value] if isinstance(value, list) else value

made = {{}}
for one in json.loads(pathlib.Path(__file__).with_name("world.json").read_text()):
    options = pulumi.ResourceOptions(parent=made.get(one["parent"]), protect=one["protect"])
    made[one["urn"]] = pulumi.ComponentResource(one["type"], one["name"], given(one["inputs"]), options)
"""
"""Registers a world: what is no component in it needs no provider this way, and policies go by types."""


def said_by_cli(cli: Cli, stack: str, events: Path) -> list[tuple[str, str, bool, str]]:
    """Preview a stack with the pack; return its verdicts, those about no resource without the stack's own URN."""
    pack = ("--policy-pack", str(ROOT / "policies"))
    done = cli.run("preview", "-s", stack, *pack, "--event-log", str(events), PULUMI_DEBUG_COMMANDS="true")
    found = told_by_cli(events)
    assert found, done.text
    return found


def found_in(cases, workspace) -> set[str]:
    """Return the policies that fail with some faults, nothing documented and nothing running; none if they clash."""
    try:
        world = faulty(cases)
    except (KeyError, IndexError, TypeError):
        return set()  # one changes what another has taken away
    graph = graph_of([*declaration(world.environment), *world.resources.values()])
    report = judge(records(graph), workspace, "prod", days.today())
    return {one.rule.id for one in report.results if one.outcome is Outcome.FAIL and not one.undetermined}


def worlds(workspace):
    """Return few worlds that hold together a fault of every policy that resources alone can fail.

    Faults get along as long as each is still found.
    """
    found = []
    for rule in RULES:
        for case in (one for one in cases_of(rule) if one.outcome is Outcome.FAIL):
            if rule.id not in found_in([case], workspace):
                continue  # only documents or the running platform tell
            for cases, rules in found:
                if {rule.id, *rules} <= found_in([*cases, case], workspace):
                    cases.append(case)
                    rules.add(rule.id)
                    break
            else:
                found.append(([case], {rule.id}))
            break
    return found


def faulty(cases):
    world = compliant()
    for case in cases:
        for edit in case.edits:
            edit(world)
    return world


def written(value):
    if value is UNKNOWN or value is SECRET:
        return UNKNOWN_TEXT if value is UNKNOWN else SECRET_TEXT
    if isinstance(value, dict):
        return {key: written(inner) for key, inner in value.items()}
    return [written(inner) for inner in value] if isinstance(value, list | tuple) else value


def test_a_fault_of_every_policy_is_found_alike(tmp_path, pulumi_bin):
    (tmp_path / "environments").mkdir()
    workspace = Workspace(tmp_path)
    together = worlds(workspace)
    planted = set().union(*(rules for _, rules in together))
    assert len(planted) > 50, sorted(IDS - planted)
    program = tmp_path / "program"
    program.mkdir()
    (program / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "Pulumi.yaml").write_text("name: sample\nruntime: python\nmain: program/\n", encoding="utf-8")
    cli = Cli(pulumi_bin, tmp_path, variables={"MLSTRATA_WORKSPACE": str(tmp_path)})
    cli.do("stack", "init", "prod")
    for at, (cases, rules) in enumerate(together):
        world = faulty(cases)
        registered = [
            {**vars(one), "inputs": written(dict(one.inputs))}
            for one in [*declaration(world.environment), *world.resources.values()]
        ]
        kept = [{key: one[key] for key in ("urn", "type", "name", "parent", "protect", "inputs")} for one in registered]
        (program / "world.json").write_text(json.dumps(kept), encoding="utf-8")
        ours = pulumi_embedded.Program("sample", "prod", program, settings=tmp_path / "embedded/Pulumi.prod.yaml")
        options = pulumi_embedded.Options(passphrase=pulumi_embedded.Passphrase("none"))
        plan = pulumi_embedded.preview(ours, pulumi_embedded.Backend(tmp_path / "embedded"), options)
        report = judge(records(plan.graph), workspace, "prod", days.today())
        assert rules <= {one.rule.id for one in report.results if one.outcome is Outcome.FAIL}
        assert said_by_cli(cli, "prod", tmp_path / f"{at}.json") == said_by_check(report)


def test_the_shipped_local_environment_is_judged_alike(tmp_path, pulumi_bin):
    for file in [*(ROOT / "environments").rglob("*.yaml"), ROOT / "policies/exemptions.yaml"]:
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    (tmp_path / "Pulumi.yaml").write_text(f"name: mlstrata\nruntime: python\nmain: {ROOT}/stacks/\n", encoding="utf-8")
    own = {"MLSTRATA_WORKSPACE": str(tmp_path)}
    cli = Cli(pulumi_bin, tmp_path, variables=own)
    cli.do("stack", "init", "local")
    mlstrata = Path(sys.executable).with_name("mlstrata")
    done = subprocess.run(  # ends with 1 where a policy blocks, which is no matter here
        [mlstrata, "check", "local", "--json"],
        env={**cli.environment, **own},
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    (report,) = json.loads(done.stdout)
    assert any(one["outcome"] == "exempt" for one in report["results"])
    assert said_by_cli(cli, "local", tmp_path / "events.json") == told_by_check(report)
