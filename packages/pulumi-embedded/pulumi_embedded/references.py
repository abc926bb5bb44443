"""Reads of resources that the program does not manage: other stacks' outputs, and (planned) anything else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pulumi.runtime.proto import provider_pb2, resource_pb2

from pulumi_embedded.run import Run
from pulumi_embedded.state import ResourceState, make_urn
from pulumi_embedded.types import Message
from pulumi_embedded.values import UNKNOWN, Secret, contains, from_struct, to_struct

STACK_REFERENCE = "pulumi:pulumi:StackReference"


class References:
    """Answers ReadResource.

    Args:
        run: the run.
        outputs_of: gives the outputs of (project, stack) in this backend, or None when there is no such stack.
    """

    def __init__(self, run: Run, outputs_of: Callable[[str, str], dict[str, Any] | None]) -> None:
        self._run, self._outputs_of = run, outputs_of

    def read(self, request: Message) -> Message:
        """Answer one ReadResource.

        Raises:
            Closed: it is not a stack reference and this is a real run, or the stack does not exist.
        """
        run = self._run
        run.check_open()
        urn = make_urn(run.stack, run.project, request.parent, request.type, request.name)
        if request.type == STACK_REFERENCE:
            return resource_pb2.ReadResourceResponse(
                urn=urn, id=request.id, properties=to_struct(self._stack(urn, request))
            )
        if not run.dry_run or run.strict:
            raise run.refuse(f"reading {request.type} ({request.name!r})", "it needs a provider plugin")
        run.emit.say("warning", f"{request.name}: {request.type} exists outside this stack; not inspected", urn)
        return resource_pb2.ReadResourceResponse(urn=urn, id=request.id, properties=request.properties)

    @staticmethod
    def resource(urn: str, known: Mapping[str, ResourceState]) -> Message:
        """Answer the engine's own getResource: what a reference to a resource of this program stands for."""
        state = known.get(urn)
        if state is None:
            failure = provider_pb2.CheckFailure(property="urn", reason=f"there is no resource {urn}")
            return resource_pb2.ResourceInvokeResponse(failures=[failure])
        found = {"urn": urn, "id": state.id or UNKNOWN, "state": state.outputs}
        return resource_pb2.ResourceInvokeResponse(**{"return": to_struct(found)})

    def stack_outputs(self, request: Message) -> Message:
        """Answer the engine's own readStackOutputs: another stack's outputs as they are, at once."""
        name = str(from_struct(request.args).get("name", ""))
        found = self._outputs(name)
        if found is None:
            failure = provider_pb2.CheckFailure(property="name", reason=f"there is no stack {name!r} in this backend")
            return resource_pb2.ResourceInvokeResponse(failures=[failure])
        return resource_pb2.ResourceInvokeResponse(**{"return": to_struct(found)})

    def _outputs(self, name: str) -> dict[str, Any] | None:
        parts = name.split("/")
        project, stack = (parts[-2] if len(parts) > 1 else self._run.project), parts[-1]
        outputs = self._outputs_of(project, stack)
        if outputs is None:
            return None
        secret = [key for key, value in outputs.items() if contains(value, Secret)]
        return {"name": name, "outputs": outputs, "secretOutputNames": secret}

    def _stack(self, urn: str, request: Message) -> dict[str, Any]:
        run = self._run
        name = str(from_struct(request.properties).get("name") or request.id)
        found = self._outputs(name)
        if found is None:
            message = f"there is no stack {name!r} in this backend; deploy it first or correct the name"
            raise run.fail(urn, STACK_REFERENCE, "read", message)
        return found
