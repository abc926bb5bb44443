"""The face the Pulumi SDK sees: the ResourceMonitor and Engine services as plain objects, without gRPC.

The method names are those of the protocol. Only features that are implemented are advertised; the SDK itself
then refuses the others, and :mod:`pulumi_embedded.program` says so by name.
"""

from __future__ import annotations

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, resource_pb2

from pulumi_embedded.references import References
from pulumi_embedded.register import Registrar
from pulumi_embedded.run import Closed, Run
from pulumi_embedded.types import Message, Severity
from pulumi_embedded.values import from_struct, to_struct

FEATURES = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_OUTPUT_VALUES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_PARAMETERIZATION,
)


class Refusal(grpc.RpcError):  # type: ignore[misc]
    """An error the SDK understands: it raises its text in the program."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._text = text

    def code(self) -> grpc.StatusCode:
        """Status of the call."""
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        """Message for the program."""
        return self._text


class Monitor:
    """The ResourceMonitor service."""

    def __init__(self, run: Run, registrar: Registrar, references: References) -> None:
        self._run, self._registrar, self._references = run, registrar, references

    def GetDeploymentInfo(self, _request: Message) -> Message:
        """Say what this engine can do."""
        return resource_pb2.DeploymentInfo(
            project=self._run.project,
            stack=self._run.stack,
            organization="organization",
            dryRun=self._run.dry_run,
            parallel=self._run.parallel,
            supportedFeatures=FEATURES,
        )

    def SupportsFeature(self, _request: Message) -> Message:
        """Asked by older SDKs only."""
        return resource_pb2.SupportsFeatureResponse(hasSupport=False)

    def RegisterResource(self, request: Message) -> Message:
        """Register a resource and return when its step is done."""
        with self._run.busy():
            try:
                answer = self._registrar.register(request)
            except Closed as closed:
                raise Refusal(str(closed)) from None
            except Exception as error:  # the SDK would swallow it in a thread: keep it as the run's own
                self._run.stop_unexpected(error)
                raise Refusal(str(error)) from error
            properties = to_struct(answer.properties) if answer.wire is None else answer.wire
            return resource_pb2.RegisterResourceResponse(urn=answer.urn, id=answer.id, object=properties)

    def RegisterResourceOutputs(self, request: Message) -> Message:
        """Take the outputs of a component or of the stack."""
        with self._run.busy():
            self._registrar.outputs(request.urn, from_struct(request.outputs))
        return empty_pb2.Empty()

    def ReadResource(self, request: Message) -> Message:
        """Read an existing resource: a stack reference, or (planned) an echo of what is asked."""
        with self._run.busy():
            try:
                return self._references.read(request)
            except Closed as closed:
                raise Refusal(str(closed)) from None

    def ExistsResource(self, request: Message) -> Message:
        """Only a plugin can tell."""
        raise Refusal(str(self._run.refuse(f"asking whether {request.type} {request.id!r} exists")))

    def Invoke(self, request: Message) -> Message:
        """A function of a plugin: unknown in a plan, refused in a real run."""
        if request.tok == "pulumi:pulumi:getResource":
            return self._references.resource(str(from_struct(request.args).get("urn", "")), self._registrar.states)
        if request.tok == "pulumi:pulumi:readStackOutputs":
            return self._references.stack_outputs(request)
        if not self._run.dry_run or self._run.strict:
            raise Refusal(str(self._run.refuse(f"function {request.tok}", "it runs in a provider plugin")))
        with self._run.lock:
            self._run.not_inspected.append(request.tok)
        self._run.emit.say("warning", f"{request.tok} runs in a provider plugin; its result is not inspected")
        return resource_pb2.ResourceInvokeResponse(unknown=True)

    def Call(self, request: Message) -> Message:
        """A method of a remote component: only its plugin knows."""
        raise Refusal(str(self._run.refuse(f"method {request.tok}", "it runs in a provider plugin")))

    def RegisterPackage(self, request: Message) -> Message:
        """Name a parameterised package; its resources are planned like any other."""
        name = request.parameterization.name or request.extension.name or request.name
        return resource_pb2.RegisterPackageResponse(ref=name)

    def RegisterStackTransform(self, _request: Message) -> Message:
        """Not advertised, so the SDK does not get here; named all the same."""
        raise Refusal(str(self._run.refuse("a stack transform")))

    RegisterStackInvokeTransform = RegisterStackTransform

    def RegisterResourceHook(self, _request: Message) -> Message:
        """Not advertised, so the SDK does not get here; named all the same."""
        raise Refusal(str(self._run.refuse("a resource hook")))

    RegisterErrorHook = RegisterResourceHook

    def SignalAndWaitForShutdown(self, _request: Message) -> Message:
        """The program is through; there are no hooks to keep it for."""
        return empty_pb2.Empty()


_SEVERITIES: dict[int, Severity] = {
    engine_pb2.INFO: "info",
    engine_pb2.WARNING: "warning",
    engine_pb2.ERROR: "error",
}


class Engine:
    """The Engine service: log messages and the root resource."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._root = ""

    def Log(self, request: Message) -> Message:
        """Pass messages on, except the SDK's own debug lines, which come by the thousand."""
        severity = _SEVERITIES.get(request.severity)
        if severity is not None and not self._run.quiet:
            self._run.emit.say(severity, request.message.rstrip(), request.urn)
        return empty_pb2.Empty()

    def GetRootResource(self, _request: Message) -> Message:
        """Return the stack's URN."""
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Message) -> Message:
        """Remember the stack's URN."""
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def RequirePulumiVersion(self, _request: Message) -> Message:
        """Any version the program asks for is fine: what matters are features, and those are told."""
        return engine_pb2.RequirePulumiVersionResponse()
