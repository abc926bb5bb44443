"""The policies behind Pulumi's Analyzer protocol: the same single pass that `mlstrata check` makes.

It speaks the protocol itself. The SDK's own pack reads every resource anew for each policy, hands secrets to checks in
plain text, and turns a policy that meets an unknown value into advice; here an unknown value is an outcome, and a
secret stays a marker.
"""

from __future__ import annotations

import sys
import threading
from concurrent import futures
from datetime import UTC, date, datetime
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2

from environments import Workspace
from policies.dates import Calendar
from policies.declared import declared
from policies.evaluate import Report, Result, evaluate
from policies.exemptions import Exemption, ExemptionErrors, of_workspace
from policies.graph import Record
from policies.rule import Level, Outcome, Rule
from policies.rules import IDS, RULES
from policies.values import SECRET, UNKNOWN

NAME, VERSION = "mlstrata", "0.1.0"
LARGEST_MESSAGE = 400 << 20
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker of the protocol
OUTPUT_SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWNS = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""What the protocol writes in place of a boolean, number, text, list, asset, archive or object that is unknown."""


class Analyzer(analyzer_pb2_grpc.AnalyzerServicer):
    """Answers the engine's questions about a stack."""

    def Handshake(self, _request: Any, _context: Any) -> Any:  # noqa: ANN401, N802 - the protocol's names
        """Acknowledge the engine."""
        return analyzer_pb2.AnalyzerHandshakeResponse()

    def GetAnalyzerInfo(self, _request: Any, _context: Any) -> Any:  # noqa: ANN401, N802
        """Return the policies of the pack."""
        policies = [
            analyzer_pb2.PolicyInfo(
                name=rule.id,
                displayName=rule.title,
                description=f"{rule.title} ({'; '.join(rule.references)})",
                enforcementLevel=_level(mandatory=rule.level is Level.MANDATORY),
                severity=_severity(rule),
                policy_type=analyzer_pb2.PolicyType.POLICY_TYPE_STACK,
                tags=[rule.domain.value],
            )
            for rule in RULES
        ]
        return analyzer_pb2.AnalyzerInfo(name=NAME, displayName=NAME, version=VERSION, policies=policies)

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:  # noqa: ANN401, N802
        """Return the version of the pack."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def Configure(self, _request: Any, _context: Any) -> Any:  # noqa: ANN401, N802
        """Take no configuration: levels follow from dates, stage and exemptions alone."""
        return empty_pb2.Empty()

    def ConfigureStack(self, _request: Any, _context: Any) -> Any:  # noqa: ANN401, N802
        """Take no configuration."""
        return analyzer_pb2.AnalyzerStackConfigureResponse()

    def Analyze(self, _request: Any, _context: Any) -> Any:  # noqa: ANN401, N802
        """Say nothing about a single resource: every policy is judged over the whole stack."""
        return analyzer_pb2.AnalyzeResponse()

    def Remediate(self, _request: Any, _context: Any) -> Any:  # noqa: ANN401, N802
        """Change nothing."""
        return analyzer_pb2.RemediateResponse()

    def Cancel(self, _request: Any, _context: Any) -> Any:  # noqa: ANN401, N802
        """Have nothing to cancel: a pass takes milliseconds."""
        return empty_pb2.Empty()

    def AnalyzeStack(self, request: Any, _context: Any) -> Any:  # noqa: ANN401, N802
        """Judge a stack."""
        response = analyzer_pb2.AnalyzeResponse()
        found = records(request)
        if not found:
            return response
        try:
            report = judge(found, datetime.now(tz=UTC).date())
        except ExemptionErrors as error:
            response.diagnostics.append(_diagnostic("exemptions", str(error), mandatory=True))
            return response
        for result in report.results:
            if result.outcome is Outcome.NOT_APPLICABLE:
                entry = analyzer_pb2.PolicyNotApplicable(policy_name=result.rule.id, reason=result.reason)
                response.not_applicable.append(entry)
            elif result.outcome is not Outcome.PASS:
                response.diagnostics.append(_said(result))
        response.diagnostics.extend(_diagnostic("exemptions", error, mandatory=True) for error in report.errors)
        return response


def judge(found: list[Record], today: date) -> Report:
    """Return what the policies say about a stack.

    Raises:
        ExemptionErrors: the exemptions are malformed.
    """
    workspace = Workspace.find()
    environment = declared(found, workspace.root, stack=found[0].urn.split(":")[2])
    exemptions: tuple[Exemption, ...] = of_workspace(workspace, IDS, today)
    calendar = Calendar.on(today, environment.enforcement)
    return evaluate(found, environment, calendar, rules=RULES, exemptions=exemptions)


def records(request: Any) -> list[Record]:  # noqa: ANN401 - a message
    """Return the resources of a request as the policies take them; secrets lose their value here."""
    return [
        Record(
            urn=one.urn,
            type=one.type,
            name=one.name,
            parent=one.parent,
            inputs={key: _value(value) for key, value in one.properties.fields.items() if key != "__provider"},
            dependencies=tuple(one.dependencies),
            property_dependencies={key: tuple(of.urns) for key, of in one.propertyDependencies.items()},
            protect=one.options.protect,
        )
        for one in request.resources
    ]


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


def _value(value: Any) -> Any:  # noqa: ANN401 - a property value
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _of_fields(value.struct_value.fields)
    if kind == "list_value":
        return [_value(inner) for inner in value.list_value.values]
    plain = None if kind in (None, "null_value") else getattr(value, kind)
    if isinstance(plain, str) and plain in UNKNOWNS:
        return UNKNOWN
    return int(plain) if isinstance(plain, float) and plain.is_integer() else plain


def _of_fields(fields: Any) -> Any:  # noqa: ANN401 - a property value
    signature = fields[SIGNATURE].string_value if SIGNATURE in fields else ""
    hidden = "secret" in fields and fields["secret"].bool_value
    if signature == SECRET_SIGNATURE or (signature == OUTPUT_SIGNATURE and hidden):
        return SECRET
    if signature == OUTPUT_SIGNATURE:
        return _value(fields["value"]) if "value" in fields else UNKNOWN
    return {key: _value(inner) for key, inner in fields.items()}


def _said(result: Result) -> Any:  # noqa: ANN401 - a message
    """Return a result as a diagnostic; what is exempt or not known is told, and blocks nothing."""
    what = "" if result.outcome is Outcome.FAIL else f"{result.outcome.value}: "
    why = str(result.exemption) if result.exemption else result.reason
    when = f" ({result.when})" if result.when else ""
    fix = f"; fix: {result.fix}" if result.fix and not result.exemption else ""
    message = f"{result.subject}: {what}{why}{when}{fix}"
    said = _diagnostic(result.rule.id, message, mandatory=result.blocking)
    said.description, said.urn, said.severity = result.rule.title, result.urn, _severity(result.rule)
    return said


def _diagnostic(policy: str, message: str, *, mandatory: bool) -> Any:  # noqa: ANN401 - a message
    return analyzer_pb2.AnalyzeDiagnostic(
        policyName=policy,
        policyPackName=NAME,
        policyPackVersion=VERSION,
        description=policy,
        message=message,
        enforcementLevel=_level(mandatory=mandatory),
    )


def _level(*, mandatory: bool) -> Any:  # noqa: ANN401 - an enum of the protocol
    return analyzer_pb2.EnforcementLevel.Value("MANDATORY" if mandatory else "ADVISORY")


def _severity(rule: Rule) -> Any:  # noqa: ANN401 - an enum of the protocol
    return analyzer_pb2.PolicySeverity.Value(f"POLICY_SEVERITY_{rule.severity.value.upper()}")
