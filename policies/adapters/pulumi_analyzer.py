"""The policies behind Pulumi's Analyzer protocol: the same single pass that `mlstrata check` makes.

It speaks the protocol itself. The SDK's own pack reads every resource anew for each policy, hands secrets to checks in
plain text, and turns a policy that meets an unknown value into advice; here an unknown value is an outcome, and a
secret stays a marker.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2

from mlstrata.environments import Workspace, days
from mlstrata.environments.workspace import VARIABLE, WorkspaceError
from mlstrata.policies.adapters.pulumi_wire import mended, record
from mlstrata.policies.core.declared import ENVIRONMENT_TYPE
from mlstrata.policies.core.evaluate import Result
from mlstrata.policies.core.exemptions import Exemption, of_workspace
from mlstrata.policies.core.files import PolicyErrors
from mlstrata.policies.core.graph import Graph, Record, Resource
from mlstrata.policies.core.kinds import is_expanded
from mlstrata.policies.core.levels import Asked, Configured, Wish, configured
from mlstrata.policies.core.rule import Level, Outcome, Rule
from mlstrata.policies.core.values import Value
from mlstrata.policies.judge import judge, rules_of
from mlstrata.policies.rules import RULES

NAME, VERSION = "mlstrata", "0.1.0"
LARGEST_MESSAGE = 400 << 20


class Analyzer(analyzer_pb2_grpc.AnalyzerServicer):
    """Answers the engine's questions about a stack."""

    def __init__(self) -> None:
        self._workspace: Workspace | None = None
        self._rules, self._problem = RULES, ""  # a problem stops the stack when that is judged
        try:
            self._workspace = _workspace()
            self._rules = rules_of(self._workspace)
        except (PolicyErrors, WorkspaceError) as error:
            self._problem = str(error)
        self._policies = Configured(self._rules)
        self._registered: dict[str, Mapping[str, Value]] = {}

    def Handshake(self, _request: Any, _context: Any) -> Any:
        """Acknowledge the engine."""
        return analyzer_pb2.AnalyzerHandshakeResponse()

    def GetAnalyzerInfo(self, _request: Any, _context: Any) -> Any:
        """Return the policies of the pack."""
        policies = [
            analyzer_pb2.PolicyInfo(
                name=rule.id,
                displayName=rule.title,
                description=f"{rule.title} ({'; '.join(rule.references)})",
                enforcementLevel=_level(mandatory=rule.level is Level.MANDATORY),
                severity=_severity(rule),
                configSchema=_schema(rule),
                policy_type=analyzer_pb2.PolicyType.POLICY_TYPE_STACK,
                tags=[rule.domain.value],
            )
            for rule in self._rules
        ]
        return analyzer_pb2.AnalyzerInfo(
            name=NAME, displayName=NAME, version=VERSION, policies=policies, supportsConfig=True
        )

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:
        """Return the version of the pack."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def Configure(self, request: Any, _context: Any) -> Any:
        """Take levels and options, where they are sound; dates, stage and exemptions go on deciding beside them."""
        names = {number: Asked(name.lower()) for name, number in analyzer_pb2.EnforcementLevel.items()}
        wishes = {
            policy: Wish(names[one.enforcementLevel], {key: str(value) for key, value in one.properties.items()})
            for policy, one in request.policyConfig.items()
        }
        self._policies = configured(self._rules, wishes)
        return empty_pb2.Empty()

    def ConfigureStack(self, _request: Any, _context: Any) -> Any:
        """Take no configuration."""
        return analyzer_pb2.AnalyzerStackConfigureResponse()

    def Analyze(self, request: Any, _context: Any) -> Any:
        """Keep what a resource is given, and say nothing yet: every policy is judged over the whole stack."""
        self._registered[request.urn] = record(request).inputs
        return analyzer_pb2.AnalyzeResponse()

    def Remediate(self, request: Any, _context: Any) -> Any:
        """Mend a resource by the policies that are set to remediate, one after the other."""
        response = analyzer_pb2.RemediateResponse()
        if self._workspace is None or not self._policies.remedying or is_expanded(request.urn):
            return response
        today = days.today(self._zone())
        try:
            ids = frozenset(rule.id for rule in self._rules)
            exemptions = of_workspace(self._workspace, ids, today)
        except PolicyErrors:
            return response  # they stop the stack when it is judged
        properties = request.properties
        for rule, before, after in mend(record(request), self._policies, exemptions, today):
            properties = mended(properties, before, after)
            response.remediations.add(
                policyName=rule.id,
                policyPackName=NAME,
                policyPackVersion=VERSION,
                description=rule.title,
                properties=properties,
            )
        return response

    def Cancel(self, _request: Any, _context: Any) -> Any:
        """Have nothing to cancel: a pass takes milliseconds."""
        return empty_pb2.Empty()

    def AnalyzeStack(self, request: Any, _context: Any) -> Any:
        """Judge a stack by what its program gives each resource, as `mlstrata check` does.

        The engine hands what each resource outputs here: of a component what it chose to register, of an object in a
        cluster its server's defaults and changes too, and what is marked a secret hides all that it holds. What a
        resource is given came before, one by one; its outputs stand in where it did not, as for one that is only read.
        What a provider makes of a bundle that it fetched is upstream's, and no plan without the CLI has it: the bundle
        counts as not inspected here too.
        """
        response = analyzer_pb2.AnalyzeResponse()
        found = [self._as_given(record(one)) for one in request.resources if not is_expanded(one.urn)]
        if not found:
            return response
        if self._workspace is None or self._problem:
            response.diagnostics.append(_diagnostic("policies", self._problem, mandatory=True))
            return response
        try:
            stack = found[0].urn.split(":")[2]
            report = judge(found, self._workspace, stack, rules=self._policies.rules)
        except PolicyErrors as error:
            response.diagnostics.append(_diagnostic("policies", str(error), mandatory=True))
            return response
        for result in report.results:
            if result.outcome is Outcome.NOT_APPLICABLE:
                entry = analyzer_pb2.PolicyNotApplicable(policy_name=result.rule.id, reason=result.reason)
                response.not_applicable.append(entry)
            elif result.outcome is not Outcome.PASS:
                response.diagnostics.append(_said(result))
        response.diagnostics.extend(_diagnostic("exemptions", error, mandatory=True) for error in report.errors)
        response.diagnostics.extend(_diagnostic("exemptions", what, mandatory=False) for what in report.warnings)
        if refused := self._policies.refused:
            kept = f"policies on the AI Act, data and security cannot be lowered here: {', '.join(refused)}"
            response.diagnostics.append(_diagnostic("configuration", kept, mandatory=False))
        return response

    def _zone(self) -> str:
        """Return the time zone of the environment, as far as it is registered: resources come one by one here."""
        declared = (given for urn, given in self._registered.items() if f"{ENVIRONMENT_TYPE}::" in urn)
        return str(next(declared, {}).get("timezone", days.ZONE))

    def _as_given(self, resource: Record) -> Record:
        return replace(resource, inputs=self._registered.get(resource.urn, resource.inputs))


def _workspace() -> Workspace:
    """Return the workspace, or the folder that the variable names: somebody else's program has no `environments/`.

    Raises:
        WorkspaceError: There is neither.
    """
    try:
        return Workspace.find()
    except WorkspaceError:
        named = Path(os.environ.get(VARIABLE, ""))
        if not os.environ.get(VARIABLE) or not named.is_dir():
            raise
        return Workspace(named.resolve())


def mend(
    resource: Record, policies: Configured, exemptions: Sequence[Exemption], today: date
) -> Iterator[tuple[Rule, Mapping[str, Value], Mapping[str, Value]]]:
    """Yield each policy that mends a resource with its inputs before and after, each after the one before.

    What is exempt today stays as it is.
    """
    stack = resource.urn.split(":")[2]
    for rule in policies.rules:
        if (options := policies.remedying.get(rule.id)) is None:
            continue
        if any(one.covers(rule.id, stack, resource.name) and one.expires >= today for one in exemptions):
            continue
        for remedy in rule.remedies:
            after = remedy.of(Resource(resource, Graph([resource])), options)
            if after is not None:
                yield rule, resource.inputs, after
                resource = replace(resource, inputs=after)


def serve() -> None:
    """Serve the policies on a loopback port, tell it on standard output, and wait to be stopped."""
    options = [("grpc.max_receive_message_length", LARGEST_MESSAGE)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4), options=options)
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Analyzer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.stop(0)


def _schema(rule: Rule) -> Any:
    """Return the options of a policy's remedies as a schema; Pulumi checks what it is given against it."""
    options = {name: what for remedy in rule.remedies for name, what in remedy.options.items()}
    schema = analyzer_pb2.PolicyConfigSchema()
    schema.properties.update({name: {"type": "string", "description": what} for name, what in options.items()})
    return schema


def _said(result: Result) -> Any:
    """Return a result as a diagnostic; what is exempt or not known is told, and blocks nothing."""
    what = "" if result.outcome is Outcome.FAIL else f"{result.outcome.value}: "
    why = str(result.exemption) if result.exemption else result.reason
    when = f" ({result.when})" if result.when else ""
    fix = f"; fix: {result.fix}" if result.fix and not result.exemption else ""
    message = f"{result.subject}: {what}{why}{when}{fix}"
    said = _diagnostic(result.rule.id, message, mandatory=result.blocking)
    said.description, said.urn, said.severity = result.rule.title, result.urn, _severity(result.rule)
    return said


def _diagnostic(policy: str, message: str, *, mandatory: bool) -> Any:
    return analyzer_pb2.AnalyzeDiagnostic(
        policyName=policy,
        policyPackName=NAME,
        policyPackVersion=VERSION,
        description=policy,
        message=message,
        enforcementLevel=_level(mandatory=mandatory),
    )


def _level(*, mandatory: bool) -> Any:
    return analyzer_pb2.EnforcementLevel.Value("MANDATORY" if mandatory else "ADVISORY")


def _severity(rule: Rule) -> Any:
    return analyzer_pb2.PolicySeverity.Value(f"POLICY_SEVERITY_{rule.severity.value.upper()}")
