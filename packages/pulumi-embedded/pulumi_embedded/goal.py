"""What the program asks for: a registration as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pulumi_embedded.state import DYNAMIC_PACKAGE, PROVIDER_PREFIX, ResourceState, make_urn, parent_chain, urn_name
from pulumi_embedded.types import GraphResource, Message, Value
from pulumi_embedded.values import flatten, from_struct, from_wire


@dataclass
class Goal:
    """One RegisterResource request; ``wire`` has the inputs as they came, unless references in them were resolved.

    ``former`` has the aliases as they came, ``aliases`` the URNs they come to (:func:`inherit`), and ``used`` the one
    by which the old state was found, or "".
    """

    urn: str
    type: str
    name: str
    custom: bool
    remote: bool
    parent: str
    inputs: dict[str, Any]
    provider: str
    version: str
    protect: bool | None
    retain_on_delete: bool | None
    deleted_with: str
    delete_before_replace: bool | None
    dependencies: list[str]
    property_dependencies: dict[str, list[str]]
    ignore_changes: list[str]
    replace_on_changes: list[str]
    additional_secret_outputs: list[str]
    custom_timeouts: dict[str, Any]
    import_id: str
    replace_with: list[str]
    replacement_trigger: Value
    former: list[Message | str]
    aliases: list[str]
    used: str
    wire: Message | None

    @property
    def is_dynamic(self) -> bool:
        """Whether this engine's own provider manages it."""
        return self.custom and self.type.startswith(f"{DYNAMIC_PACKAGE}:")

    @property
    def is_provider(self) -> bool:
        """Whether this is a provider resource."""
        return self.type.startswith(PROVIDER_PREFIX)

    @property
    def package(self) -> str:
        """Package of the type: ``aws`` of ``aws:s3/bucket:Bucket``."""
        return self.type.removeprefix(PROVIDER_PREFIX).split(":", 1)[0]

    def state(self, **known: Value) -> ResourceState:
        """Make the state this goal asks for; ``known`` adds id, outputs and the like."""
        return ResourceState(
            urn=self.urn,
            type=self.type,
            custom=self.custom,
            parent=self.parent,
            protect=bool(self.protect),
            retain_on_delete=bool(self.retain_on_delete),
            deleted_with=self.deleted_with,
            dependencies=self.dependencies,
            property_dependencies=self.property_dependencies,
            ignore_changes=self.ignore_changes,
            replace_on_changes=self.replace_on_changes,
            additional_secret_outputs=self.additional_secret_outputs,
            custom_timeouts=self.custom_timeouts,
            replace_with=self.replace_with,
            **known,
        )

    def graph(self, provider: str) -> GraphResource:
        """Give the public view of this registration."""
        options = {
            "protect": self.protect,
            "retain_on_delete": self.retain_on_delete,
            "deleted_with": self.deleted_with,
            "delete_before_replace": self.delete_before_replace,
            "ignore_changes": tuple(self.ignore_changes),
            "replace_on_changes": tuple(self.replace_on_changes),
            "additional_secret_outputs": tuple(self.additional_secret_outputs),
            "custom_timeouts": self.custom_timeouts,
            "import_id": self.import_id,
            "aliases": tuple(self.aliases),
            "version": self.version,
        }
        return GraphResource(
            self.urn,
            self.type,
            self.name,
            self.parent,
            self.custom,
            self.remote,
            self.inputs,
            provider,
            {key: value for key, value in options.items() if value not in (None, "", (), {})},
            tuple(self.dependencies),
            {key: tuple(urns) for key, urns in self.property_dependencies.items()},
        )


def read(request: Message, project: str, stack: str) -> Goal:
    """Read a RegisterResourceRequest; what its parent adds to it comes with :func:`inherit`."""
    given = from_struct(request.object)
    inputs = flatten(given) if request.custom else given
    return Goal(
        urn=make_urn(stack, project, request.parent, request.type, request.name),
        type=request.type,
        name=request.name,
        custom=request.custom,
        remote=request.remote,
        parent=request.parent,
        inputs=inputs,
        provider=request.provider,
        version=request.version,
        protect=request.protect if request.HasField("protect") else None,
        retain_on_delete=request.retainOnDelete if request.HasField("retainOnDelete") else None,
        deleted_with=request.deletedWith,
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        dependencies=sorted(request.dependencies),
        property_dependencies={
            key: sorted(request.propertyDependencies[key].urns) for key in sorted(request.propertyDependencies)
        },
        ignore_changes=list(request.ignoreChanges),
        replace_on_changes=list(request.replaceOnChanges),
        additional_secret_outputs=list(request.additionalSecretOutputs),
        custom_timeouts=_timeouts(request),
        import_id=request.importId,
        replace_with=list(request.replace_with),
        replacement_trigger=from_wire(request.replacement_trigger) if request.HasField("replacement_trigger") else None,
        former=[*request.aliasURNs, *request.aliases],
        aliases=[],
        used="",
        wire=request.object if inputs == given else None,
    )


def inherit(goal: Goal, goals: Mapping[str, Goal], project: str, stack: str) -> None:
    """Take from the parent what the program left open, and work out the aliases.

    A parent that was found by an alias gives each child the name that the child had under it then.
    """
    own = [one if isinstance(one, str) else _alias(one, goal, goals, project, stack) for one in goal.former]
    parent = goals.get(goal.parent)
    if parent is None:
        goal.aliases = _distinct(own, goal.urn)
        return
    inherited = [_as_child(parent.used, one, parent) for one in [goal.urn, *own]] if parent.used else []
    goal.aliases = _distinct([*own, *inherited], goal.urn)
    if goal.protect is None:
        goal.protect = parent.protect
    if goal.retain_on_delete is None:
        goal.retain_on_delete = parent.retain_on_delete
    goal.deleted_with = goal.deleted_with or parent.deleted_with


def _as_child(former: str, own: str, parent: Goal) -> str:
    """URN that ``own``, one of a child's, was under a parent that was called ``former``."""
    name, kind = urn_name(own), own.split("::", 3)[2].rsplit("$", 1)[-1]
    if name.startswith(parent.name):
        name = urn_name(former) + name[len(parent.name) :]
    head = former.split("::", 2)
    return f"{head[0]}::{head[1]}::{parent_chain(former)}{kind}::{name}"


def _alias(alias: Message, goal: Goal, goals: Mapping[str, Goal], project: str, stack: str) -> str:
    if alias.WhichOneof("alias") == "urn":
        return str(alias.urn)
    spec = alias.spec
    parent = "" if spec.noParent else (spec.parentUrn or goal.parent)
    if spec.parentUrn in goals:  # it may have been called otherwise itself, when this was its child
        parent = goals[spec.parentUrn].used or parent
    return make_urn(
        spec.stack or stack, spec.project or project, parent, spec.type or goal.type, spec.name or goal.name
    )


def _distinct(urns: Sequence[str], own: str) -> list[str]:
    return [urn for urn in dict.fromkeys(urns) if urn and urn != own]


def _timeouts(request: Message) -> dict[str, Any]:
    if not request.HasField("customTimeouts"):
        return {}
    given = {key: getattr(request.customTimeouts, key) for key in ("create", "update", "delete")}
    return {key: seconds for key, text in given.items() if text and (seconds := _seconds(text)) is not None}


def _seconds(text: str) -> float | None:
    """Read Go's durations (``1h30m``, ``90s``) as seconds, the unit of the checkpoint."""
    import re

    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", text)
    return sum(float(amount) * units[unit] for amount, unit in parts) if parts else None
