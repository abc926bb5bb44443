"""The pack answers over the Analyzer protocol what the offline pass says."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from policies.analyzer import OUTPUT_SIGNATURE, SECRET_SIGNATURE, SIGNATURE, UNKNOWNS, records
from policies.dates import Calendar
from policies.declared import declared
from policies.evaluate import evaluate
from policies.rule import Outcome
from policies.rules import IDS, RULES
from policies.samples import compliant
from policies.values import SECRET, Unknown
from policies.world import put
from tests.support.declaration import declaration

ROOT = Path(__file__).parents[3]
CASES = [pytest.param(rule, case, id=f"{rule.id}: {case.title}") for rule in RULES for case in rule.cases]
TEXT_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    root = tmp_path_factory.mktemp("workspace")
    (root / "environments").mkdir()
    shutil.copy(ROOT / "environments/local.yaml", root / "environments")
    return root


@pytest.fixture(scope="module")
def pack(workspace):
    """The pack as Pulumi starts it: the folder, run by Python, which prints its port."""
    process = subprocess.Popen(
        [sys.executable, "-u", str(ROOT / "policies"), "127.0.0.1:1", "."],
        stdout=subprocess.PIPE,
        cwd=workspace,
        env={**os.environ, "MLSTRATA_WORKSPACE": str(workspace)},
        text=True,
    )
    try:
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def wire(value):
    """A value as the engine writes it."""
    if isinstance(value, Unknown):
        return TEXT_UNKNOWN
    if value is SECRET:
        return {SIGNATURE: SECRET_SIGNATURE, "value": "plain text of a secret"}
    if isinstance(value, dict):
        return {key: wire(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [wire(inner) for inner in value]
    return value


def request(records):
    message = analyzer_pb2.AnalyzeStackRequest()
    for record in records:
        properties = struct_pb2.Struct()
        properties.update({key: wire(value) for key, value in record.inputs.items()})
        one = message.resources.add(
            urn=record.urn, type=record.type, name=record.name, parent=record.parent, properties=properties
        )
        one.dependencies.extend(record.dependencies)
        one.options.protect = record.protect
        for key, urns in record.property_dependencies.items():
            one.propertyDependencies[key].urns.extend(urns)
    return message


def told(response):
    mandatory = analyzer_pb2.EnforcementLevel.Value("MANDATORY")
    return {(one.policyName, one.urn, one.enforcementLevel == mandatory) for one in response.diagnostics}


def offline(records, environment):
    today = datetime.now(tz=UTC).date()
    report = evaluate(records, environment, Calendar.on(today, environment.enforcement), rules=RULES)
    return {
        (one.rule.id, one.urn, one.blocking)
        for one in report.results
        if one.outcome not in (Outcome.PASS, Outcome.NOT_APPLICABLE)
    }


def test_the_pack_names_its_policies(pack):
    info = pack.GetAnalyzerInfo(empty_pb2.Empty())
    assert {policy.name for policy in info.policies} == IDS
    assert all(policy.description for policy in info.policies)


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_every_fixture_has_the_outcome_of_the_offline_pass(pack, workspace, rule, case):
    world = compliant()
    for edit in case.edits:
        edit(world)
    records = [*declaration(world.environment), *world.resources.values()]
    environment = declared(records, workspace)
    assert replace(environment, documents={}) == replace(world.environment, documents={}, live=environment.live)
    assert told(pack.AnalyzeStack(request(records))) == offline(records, environment)


def test_a_program_that_declares_nothing_is_called_after_its_stack(pack, workspace):
    records = list(compliant().resources.values())
    assert told(pack.AnalyzeStack(request(records))) == offline(records, declared(records, workspace, "prod"))


def test_the_local_environment_has_the_outcome_of_mlstrata_check(pack, workspace, monkeypatch, tmp_path):
    import engine
    from cli.check import _plan, report_on
    from cli.check import records as read_plan
    from cli.context import Context

    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(workspace))
    context = Context.open("local")
    planned: engine.Result = _plan(context)
    report = report_on(context, planned, datetime.now(tz=UTC).date())
    expected = {
        (one.rule.id, one.urn, one.blocking)
        for one in report.results
        if one.outcome not in (Outcome.PASS, Outcome.NOT_APPLICABLE)
    }
    assert expected
    assert told(pack.AnalyzeStack(request(read_plan(planned.graph)))) == expected


def test_a_secret_stays_one(pack):
    world = compliant()
    put("metadata", "password", SECRET)(world)
    response = pack.AnalyzeStack(request(world.resources.values()))
    assert "sec-no-plaintext-secret" not in {one.policyName for one in response.diagnostics}
    assert "plain text of a secret" not in str(response)


@pytest.mark.parametrize("sentinel", sorted(UNKNOWNS))
def test_an_unknown_value_is_an_outcome_and_no_advice(pack, sentinel):
    """The SDK would drop the policy; a duty of the Act fails instead."""
    world = compliant()
    put("mortgage", "spec.predictors.0.graph.logger.mode", sentinel)(world)
    response = pack.AnalyzeStack(request(world.resources.values()))
    (said,) = (one for one in response.diagnostics if one.policyName == "aia-request-logging")
    assert said.enforcementLevel == analyzer_pb2.EnforcementLevel.Value("MANDATORY")
    assert "known only after the deployment" in said.message


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({SIGNATURE: OUTPUT_SIGNATURE, "value": 3}, 3),
        ({SIGNATURE: OUTPUT_SIGNATURE, "value": 3, "secret": True}, SECRET),
        ({"a": [None, 1.5, True, "x"]}, {"a": [None, 1.5, True, "x"]}),
    ],
)
def test_values_are_read_as_the_protocol_writes_them(written, read):
    message = analyzer_pb2.AnalyzeStackRequest()
    message.resources.add().properties.update({"one": written})
    (record,) = records(message)
    assert record.inputs["one"] == read


def test_an_output_without_a_value_is_unknown():
    message = analyzer_pb2.AnalyzeStackRequest()
    message.resources.add().properties.update({"one": {SIGNATURE: OUTPUT_SIGNATURE}})
    (record,) = records(message)
    assert isinstance(record.inputs["one"], Unknown)


def test_an_empty_stack_has_nothing_to_say(pack):
    assert not pack.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest()).diagnostics


def test_malformed_exemptions_block(workspace):
    """They are read at each call, so that a mended file needs no new pack."""
    from policies.analyzer import Analyzer

    (workspace / "policies").mkdir()
    file = workspace / "policies/exemptions.yaml"
    file.write_text("exemptions: none\n")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLSTRATA_WORKSPACE", str(workspace))
            response = Analyzer().AnalyzeStack(request(compliant().resources.values()), None)
    finally:
        shutil.rmtree(file.parent)
    (said,) = response.diagnostics
    assert said.policyName == "exemptions"
    assert "got no list" in said.message
