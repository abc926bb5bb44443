"""The pack answers over the Analyzer protocol what the offline pass says."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from mlstrata.environments import Workspace, days
from mlstrata.policies.adapters.pulumi_wire import record
from mlstrata.policies.core.dates import Calendar
from mlstrata.policies.core.declared import declared
from mlstrata.policies.core.evaluate import evaluate
from mlstrata.policies.core.exemptions import of_workspace
from mlstrata.policies.core.graph import Record
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.core.values import SECRET, UNKNOWN, Unknown
from mlstrata.policies.fixtures.compliant_world import HIGH_RISK, compliant
from mlstrata.policies.fixtures.world import cut, put
from mlstrata.policies.rules import IDS, RULES
from pulumi_embedded import wire
from tests.support.company_policy import COST_CENTRE
from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[3]
NO_EXEMPTIONS = "exemptions: []\n"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    root = tmp_path_factory.mktemp("workspace")
    for file in (ROOT / "environments").rglob("*.yaml"):  # what a substrate told is in a folder beneath
        copy = root / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    (root / "policies").mkdir()
    (root / "policies/exemptions.yaml").write_text(NO_EXEMPTIONS)
    return root


@pytest.fixture
def exemptions(workspace):
    """What writes the exemptions that the pack and the offline pass go by; none after the test."""
    file = workspace / "policies/exemptions.yaml"
    yield file.write_text
    file.write_text(NO_EXEMPTIONS)


@pytest.fixture(scope="module")
def pack(workspace):
    """The pack as Pulumi starts it: in its own folder, by the SDK's runner, and it prints its port."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", "."],
        stdout=subprocess.PIPE,
        cwd=ROOT / "policies",
        env={**os.environ, "MLSTRATA_WORKSPACE": str(workspace)},
        text=True,
    )
    try:
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
    finally:
        process.terminate()
        process.wait(PATIENCE)
        process.stdout.close()


def on_wire(value):
    """A value as the engine writes it."""
    if isinstance(value, Unknown):
        return wire.UNKNOWN_TEXT
    if value is SECRET:
        return {wire.SIGNATURE: wire.SECRET, "value": "plain text of a secret"}
    if isinstance(value, dict):
        return {key: on_wire(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [on_wire(inner) for inner in value]
    return value


def request(records):
    message = analyzer_pb2.AnalyzeStackRequest()
    for given in records:
        one = message.resources.add(
            urn=given.urn, type=given.type, name=given.name, parent=given.parent, properties=properties_of(given)
        )
        one.dependencies.extend(given.dependencies)
        one.options.protect = given.protect
        for key, urns in given.property_dependencies.items():
            one.propertyDependencies[key].urns.extend(urns)
    return message


def properties_of(given):
    properties = struct_pb2.Struct()
    properties.update({key: on_wire(value) for key, value in given.inputs.items()})
    return properties


def configure(pack, **wishes):
    """Set levels (and options) by policy, as the engine does after it read the configuration."""
    message = analyzer_pb2.ConfigureAnalyzerRequest()
    for policy, (level, options) in wishes.items():
        one = message.policyConfig[policy.replace("_", "-")]
        one.enforcementLevel = analyzer_pb2.EnforcementLevel.Value(level)
        one.properties.update(options)
    pack.Configure(message)


@pytest.fixture
def configured(pack):
    yield lambda **wishes: configure(pack, **wishes)
    configure(pack)


def remediate(pack, given):
    message = analyzer_pb2.AnalyzeRequest(
        type=given.type, name=given.name, urn=given.urn, properties=properties_of(given)
    )
    return list(pack.Remediate(message).remediations)


def told(response):
    """What the pack says; of the exemptions themselves, which it says about no resource, the words too."""
    mandatory = analyzer_pb2.EnforcementLevel.Value("MANDATORY")
    return {
        (one.policyName, one.urn or one.message, one.enforcementLevel == mandatory)
        if one.policyName == "exemptions"
        else (one.policyName, one.urn, one.enforcementLevel == mandatory)
        for one in response.diagnostics
    }


def said(report):
    """What the offline pass says, in the words of `told`."""
    return (
        {
            (one.rule.id, one.urn, one.blocking)
            for one in report.results
            if one.outcome not in (Outcome.PASS, Outcome.NOT_APPLICABLE)
        }
        | {("exemptions", error, True) for error in report.errors}
        | {("exemptions", one, False) for one in report.warnings}
    )


def offline(records, environment, workspace):
    today = days.today()
    exemptions = of_workspace(Workspace(workspace), IDS, today)
    calendar = Calendar.on(today, environment.enforcement)
    return said(evaluate(records, environment, calendar, rules=RULES, exemptions=exemptions))


def test_the_pack_names_its_policies(pack):
    info = pack.GetAnalyzerInfo(empty_pb2.Empty())
    assert {policy.name for policy in info.policies} == IDS
    assert all(policy.description for policy in info.policies)


def test_a_program_that_declares_nothing_is_called_after_its_stack(pack, workspace):
    records = list(compliant().resources.values())
    assert told(pack.AnalyzeStack(request(records))) == offline(
        records, declared(records, workspace, "prod"), workspace
    )


@pytest.mark.parametrize("name", ["local"])
def test_an_environment_has_the_outcome_of_mlstrata_check(pack, workspace, exemptions, monkeypatch, name):
    """With the exemptions that we ship, which both must honour."""
    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.policy_check import planned, report_on
    from mlstrata.policies.adapters.embedded_graph import records

    exemptions((ROOT / "policies/exemptions.yaml").read_text(encoding="utf-8"))
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(workspace))
    deployment = Deployment.open(name)
    plan = planned(deployment)
    report = report_on(deployment, plan, days.today())
    assert Outcome.EXEMPT in {one.outcome for one in report.results}
    assert told(pack.AnalyzeStack(request(records(plan.graph)))) == said(report)


@pytest.mark.parametrize("bundle", ["kubernetes:yaml/v2:ConfigFile", "kubernetes:kustomize/v2:Directory"])
def test_what_a_provider_made_of_a_bundle_is_upstreams(pack, configured, bundle):
    """No plan without the CLI has it, and nobody could tag or pin it: it must not block a deployment."""
    head, namespace = "urn:pulumi:prod::p", "kubernetes:core/v1:Namespace"
    of = Record(f"{head}::mlstrata:platform:Upstream${bundle}::b", bundle, "b")
    inside = Record(f"{head}::mlstrata:platform:Upstream${bundle}${namespace}::b:x", namespace, "b:x", of.urn)
    free = Record(f"{head}::{namespace}::y", namespace, "y")
    response = pack.AnalyzeStack(request([*compliant().resources.values(), of, inside, free]))
    told = {one.urn for one in response.diagnostics if one.policyName == "cost-owner-tags"}
    assert free.urn in told
    assert inside.urn not in told
    configured(cost_owner_tags=("REMEDIATE", {"owner": "a@example.com", "cost_centre": "12"}))
    assert remediate(pack, free)
    assert not remediate(pack, inside)


def test_a_secret_stays_one(pack):
    world = compliant()
    put("metadata", "password", SECRET)(world)
    response = pack.AnalyzeStack(request(world.resources.values()))
    assert "sec-no-plaintext-secret" not in {one.policyName for one in response.diagnostics}
    assert "plain text of a secret" not in str(response)


@pytest.mark.parametrize("sentinel", sorted(wire.UNKNOWNS))
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
        ({wire.SIGNATURE: wire.OUTPUT, "value": 3}, 3),
        ({wire.SIGNATURE: wire.OUTPUT, "value": 3, "secret": True}, SECRET),
        ({"a": [None, 1.5, True, "x"]}, {"a": [None, 1.5, True, "x"]}),
    ],
)
def test_values_are_read_as_the_protocol_writes_them(written, read):
    message = analyzer_pb2.AnalyzeStackRequest()
    message.resources.add().properties.update({"one": written})
    assert record(message.resources[0]).inputs["one"] == read


def test_an_output_without_a_value_is_unknown():
    message = analyzer_pb2.AnalyzeStackRequest()
    message.resources.add().properties.update({"one": {wire.SIGNATURE: wire.OUTPUT}})
    assert isinstance(record(message.resources[0]).inputs["one"], Unknown)


def test_an_empty_stack_has_nothing_to_say(pack):
    assert not pack.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest()).diagnostics


def test_malformed_exemptions_block(workspace, exemptions):
    """They are read at each call, so that a mended file needs no new pack."""
    from mlstrata.policies.adapters.pulumi_analyzer import Analyzer

    exemptions("exemptions: none\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLSTRATA_WORKSPACE", str(workspace))
        response = Analyzer().AnalyzeStack(request(compliant().resources.values()), None)
    (said,) = response.diagnostics
    assert said.policyName == "policies"
    assert "exemptions: got 'none'; allowed a list" in said.message


def test_the_pack_judges_policies_and_levels_of_the_workspace(tmp_path, monkeypatch):
    from mlstrata.policies.adapters.pulumi_analyzer import Analyzer

    (tmp_path / "environments").mkdir()
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/cost.py").write_text(COST_CENTRE)
    (tmp_path / "policies/levels.yaml").write_text("levels: {aia-literacy-record: mandatory}\n")
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    world = compliant()
    cut(HIGH_RISK, "cost_centre")(world)
    cut(HIGH_RISK, "documents.literacy")(world)
    pack = Analyzer()
    assert {one.name for one in pack.GetAnalyzerInfo(None, None).policies} == IDS | {"org-cost-centre"}
    found = told(pack.AnalyzeStack(request(world.resources.values()), None))
    urn = world.resources[HIGH_RISK].urn
    assert {("org-cost-centre", urn, True), ("aia-literacy-record", urn, True)} <= found
    (tmp_path / "policies/cost.py").write_text("RULE = 1 / 0\n")
    (said,) = Analyzer().AnalyzeStack(request(world.resources.values()), None).diagnostics
    assert "policies/cost.py:1: cannot be loaded: ZeroDivisionError" in said.message
    assert said.enforcementLevel == analyzer_pb2.EnforcementLevel.Value("MANDATORY")


def test_a_pack_that_finds_no_workspace_says_which_folder_to_name(tmp_path, monkeypatch):
    from mlstrata.policies.adapters.pulumi_analyzer import Analyzer

    monkeypatch.delenv("MLSTRATA_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    pack = Analyzer()
    assert {one.name for one in pack.GetAnalyzerInfo(None, None).policies} == IDS
    (said,) = pack.AnalyzeStack(request(compliant().resources.values()), None).diagnostics
    assert "set MLSTRATA_WORKSPACE to its folder" in said.message
    assert said.enforcementLevel == analyzer_pb2.EnforcementLevel.Value("MANDATORY")
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))  # a program of somebody else's has no environments/
    found = told(Analyzer().AnalyzeStack(request(compliant().resources.values()), None))
    assert "policies" not in {policy for policy, _, _ in found}


def test_nothing_is_mended_unless_it_is_asked_for(pack, configured):
    world = compliant()
    put("metadata", "publiclyAccessible", True)(world)
    assert remediate(pack, world.resources["metadata"]) == []
    configured(sec_private_db_endpoint=("MANDATORY", {}))
    assert remediate(pack, world.resources["metadata"]) == []


def test_a_mended_resource_comes_back_with_its_secrets_and_unknown_values(pack, configured):
    world = compliant()
    for edit in (
        put("metadata", "publiclyAccessible", True),
        put("metadata", "password", SECRET),
        put("metadata", "kmsKeyId", UNKNOWN),
        put("metadata", "backupRetentionPeriod", 1),
        cut("metadata", "tags.mlstrata~io/cost-centre"),
    ):
        edit(world)
    configured(
        sec_private_db_endpoint=("REMEDIATE", {}),
        rel_backup_metadata_db=("REMEDIATE", {}),
        cost_owner_tags=("REMEDIATE", {"owner": "a@example.com", "cost_centre": "12"}),
    )
    given = world.resources["metadata"]
    found = remediate(pack, given)
    assert [one.policyName for one in found] == [
        "sec-private-db-endpoint", "rel-backup-metadata-db", "cost-owner-tags",
    ]  # fmt: skip
    expected = properties_of(given)
    expected.update({"publiclyAccessible": False, "backupRetentionPeriod": 7})
    expected["tags"]["mlstrata.io/cost-centre"] = "12"
    assert found[-1].properties == expected
    assert found[-1].properties["password"]["value"] == "plain text of a secret"
    assert found[-1].properties["kmsKeyId"] == wire.UNKNOWN_TEXT
    mended = record(analyzer_pb2.AnalyzeRequest(urn=given.urn, type=given.type, properties=found[-1].properties))
    assert remediate(pack, replace(mended, name=given.name)) == []


def test_the_stack_itself_and_what_is_right_are_left_alone(pack, configured):
    configured(**{rule.id.replace("-", "_"): ("REMEDIATE", {}) for rule in RULES})
    assert not [one.name for one in compliant().resources.values() if remediate(pack, one)]
    assert not remediate(pack, Record("urn:pulumi:prod::p::pulumi:pulumi:Stack::p-prod", "pulumi:pulumi:Stack", "p"))


def test_an_exempt_resource_is_not_mended(pack, configured, exemptions):
    world = compliant()
    put("metadata", "publiclyAccessible", True)(world)
    configured(sec_private_db_endpoint=("REMEDIATE", {}))
    entry = {
        "policy": "sec-private-db-endpoint",
        "environments": ["prod"],
        "match": "meta*",
        "reason": "moving",
        "approver": "cto",
        "ticket": "T-1",
        "expires": str(days.today()),
    }
    exemptions(json.dumps({"exemptions": [entry]}))
    assert remediate(pack, world.resources["metadata"]) == []
    exemptions(NO_EXEMPTIONS)
    assert remediate(pack, world.resources["metadata"])


def test_levels_are_honoured_where_they_weaken_nothing_that_must_hold(pack, configured):
    world = compliant()
    for edit in (put("metadata", "backupRetentionPeriod", 1), cut(HIGH_RISK, "documents.fria")):
        edit(world)
    records = list(world.resources.values())
    mandatory = analyzer_pb2.EnforcementLevel.Value("MANDATORY")

    def levels():
        found = pack.AnalyzeStack(request(records)).diagnostics
        return {one.policyName: one.enforcementLevel == mandatory for one in found}, found

    before, _ = levels()
    assert before["rel-backup-metadata-db"]
    assert before["aia-fria-present"]
    configured(rel_backup_metadata_db=("ADVISORY", {}), aia_fria_present=("DISABLED", {}))
    after, found = levels()
    assert not after["rel-backup-metadata-db"]
    assert after["aia-fria-present"]
    (kept,) = (one.message for one in found if one.policyName == "configuration")
    assert "cannot be lowered here: aia-fria-present" in kept
    configured(rel_backup_metadata_db=("DISABLED", {}), rel_pdb_present=("MANDATORY", {}))
    after, _ = levels()
    assert "rel-backup-metadata-db" not in after


def test_the_pack_tells_which_options_its_remedies_take(pack):
    info = pack.GetAnalyzerInfo(empty_pb2.Empty())
    assert info.supportsConfig
    taken = {one.name: set(one.configSchema.properties.keys()) for one in info.policies if one.configSchema.properties}
    assert taken["cost-owner-tags"] == {"owner", "cost_centre"}
    assert taken["sec-tls-ingress"] == {"certificate_secret"}
    assert "sec-pod-restricted" not in taken
