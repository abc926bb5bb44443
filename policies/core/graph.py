"""The resources of a plan, indexed once: by type, by parent, by what they belong to and what they refer to."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar, cast

from mlstrata.policies.core.kinds import HIDING, is_of, is_unread
from mlstrata.policies.core.values import SECRET, Unknown, UnknownValueError, Value, dig, listed

T = TypeVar("T")
SYSTEM_LABEL = "mlstrata.io/system"
PART_LABEL = "mlstrata.io/part"
SYSTEM_TYPE = ":governance:AISystem"
STACK_TYPE = "pulumi:pulumi:Stack"
ITEM = "#item-"
"""What an item of a list has between the list's URN and its own number."""
WORKING = frozenset({"recorder", "kill-switch", "explainer", "content-filter", "content-marker"})
"""Parts that only something that runs, or routes, can play."""
_WORDS = re.compile(
    r"^kubernetes:(core/v1:(ConfigMap|Secret|Namespace|ServiceAccount|PersistentVolumeClaim|ResourceQuota|LimitRange)"
    r"|rbac\.authorization\.k8s\.io/|policy/|networking\.k8s\.io/v1:NetworkPolicy)"
)
"""Kinds that hold words and do nothing."""
COMPONENT_PARTS = {
    ":serving:Serving": "serving",
    ":recording:Recording": "recorder",
    ":monitoring:Monitoring": "monitoring",
    ":gateway:Gateway": "gateway",
    ":registry:Registry": "registry",
}
"""Module and class of a component, whoever's package it is in, to the part it plays."""


@dataclass(frozen=True)
class Record:
    """A resource as it was registered, in plain values (UNKNOWN and SECRET inside); whoever runs the checks makes it.

    Attributes:
        urn: Its unique name.
        type: Its type, such as `kubernetes:apps/v1:Deployment`.
        name: Its logical name.
        parent: URN of its parent; empty at the top.
        inputs: What the program gave it.
        dependencies: URNs of what it was made after.
        property_dependencies: Property to the URNs its value comes from.
        protect: It must not be deleted.
        file: The file it was read from, of a manifest.
        line: The line of that file that it begins in, from 1; 0 where that is not known.
    """

    urn: str
    type: str
    name: str
    parent: str = ""
    inputs: Mapping[str, Value] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    protect: bool = False
    file: str = ""
    line: int = 0


class Resource:
    """A record with the questions that checks ask of it."""

    def __init__(self, record: Record, graph: Graph) -> None:
        self.record, self.graph = record, graph
        self.urn, self.type, self.name, self.parent = record.urn, record.type, record.name, record.parent
        self.inputs, self.protect = record.inputs, record.protect

    def get(self, path: str, default: Value = None) -> Value:
        """Return the input at `path`; `default` where there is none.

        Raises:
            UnknownValueError: it is known only after the deployment.
        """
        return dig(self.inputs, path, default)

    def all(self, path: str) -> list[Value]:
        """Return the list at `path`; empty where there is none."""
        return listed(self.inputs, path)

    @property
    def kind(self) -> str:
        """The last part of the type: `Deployment`."""
        return self.type.rpartition(":")[2]

    @cached_property
    def labels(self) -> Mapping[str, Value]:
        """Labels, annotations and tags alike, as far as they are known."""
        return self._labels[0]

    @cached_property
    def _labels(self) -> tuple[Mapping[str, Value], str]:
        """The labels that are known, and where others may be: empty where all are known."""
        found: dict[str, Value] = {}
        unseen = ""
        for path in ("tagsAll", "tags", "labels", "metadata.annotations", "metadata.labels"):
            try:
                given = dig(self.inputs, path)
            except UnknownValueError:
                unseen = unseen or path
                continue
            if isinstance(given, Mapping):
                found |= given
            elif given is SECRET:
                unseen = unseen or path
        return found, unseen

    def hides(self, name: str) -> str:
        """Return where a label may be that is known only after the deployment; empty where it is known, or absent."""
        known, unseen = self._labels
        value = known.get(name)
        if isinstance(value, Unknown) or value is SECRET:
            return f"labels.{name}"
        return unseen if value is None else ""

    def label(self, name: str) -> str:
        """Return a label as text; empty where there is none.

        Raises:
            UnknownValueError: it is known only after the deployment.
        """
        if hidden := self.hides(name):
            raise UnknownValueError(hidden)
        value = self.labels.get(name)
        return "" if value is None else str(value)

    @property
    def part(self) -> str:
        """Return the part it plays in a platform, by its label or its component's type.

        Raises:
            UnknownValueError: its label is known only after the deployment.
        """
        return self.label(PART_LABEL) or COMPONENT_PARTS.get(self.type[self.type.find(":") :], "")

    def plays(self, part: str) -> bool:
        """Return whether it plays a part; words, and what is scaled to nothing, do no work whatever they say.

        Raises:
            UnknownValueError: its label, or how many of it run, is known only after the deployment.
        """
        if part in WORKING and _WORDS.match(self.type):
            return False
        return self.part == part and (part not in WORKING or self.get("spec.replicas") != 0)

    def refers(self, path: str) -> list[Resource]:
        """Return the resources of this plan that the value at `path` comes from, as recorded for its property."""
        urns = self.record.property_dependencies.get(path.partition(".")[0], ())
        return [self.graph.by_urn[urn] for urn in urns if urn in self.graph.by_urn]

    def set_or_made_here(self, path: str, kinds: tuple[str, ...]) -> bool:
        """Return whether `path` has a value: a known one, or one that a resource of `kinds` in this plan gives it.

        Raises:
            UnknownValueError: it is unknown, and nothing recorded says where it comes from.
        """
        try:
            return bool(self.get(path))
        except UnknownValueError:
            if any(origin.type.startswith(kinds) for origin in self.refers(path)):
                return True
            raise


class System:
    """A declared AI system with the resources that belong to it."""

    def __init__(self, declared: Resource, index: int, resources: list[Resource]) -> None:
        self.declared, self.index, self.resources = declared, index, resources
        name = declared.inputs.get("name")
        self.name: str = name if isinstance(name, str) else declared.name

    def get(self, path: str, default: Value = None) -> Value:
        """Return a declaration, such as `risk.tier`."""
        return self.declared.get(path, default)

    def all(self, path: str) -> list[Value]:
        """Return a declared list."""
        return self.declared.all(path)

    def part(self, name: str) -> list[Resource]:
        """Return the system's resources that play a part, such as `recorder`.

        Raises:
            UnknownValueError: none is known to, and one may.
        """
        return _players(name, self.resources, self.declared.graph.unowned)

    def of(self, *types: str) -> list[Resource]:
        """Return the system's resources that are of `types`."""
        return [resource for resource in self.resources if is_of(resource.type, types)]


class Graph:
    """All resources of a plan."""

    def __init__(self, records: Iterable[Record]) -> None:
        given = [Resource(record, self) for record in _unpacked(records)]
        self._declarations = [one.urn for one in given if one.type.endswith(SYSTEM_TYPE)]
        # No engine hands them over in an order that another would, and no verdict may depend on it.
        self.resources = sorted(given, key=lambda one: one.urn)
        self.by_urn = {resource.urn: resource for resource in self.resources}
        self._by_type: dict[str, list[Resource]] = defaultdict(list)
        self._children: dict[str, list[Resource]] = defaultdict(list)
        self._labelled: dict[str, list[Resource]] = defaultdict(list)
        self._memo: dict[str, object] = {}
        for resource in self.resources:
            self._by_type[resource.type].append(resource)
            self._children[resource.parent].append(resource)
            owner = resource.labels.get(SYSTEM_LABEL)
            if isinstance(owner, str):
                self._labelled[owner].append(resource)
        self._parts: dict[str, list[Resource]] = {}

    def of(self, *types: str) -> list[Resource]:
        """Return the resources that are of `types`, by type and URN."""
        return [found for kind, all_of_it in self._by_type.items() if is_of(kind, types) for found in all_of_it]

    def part(self, name: str) -> list[Resource]:
        """Return the resources that play a part, whatever system they belong to.

        Raises:
            UnknownValueError: none is known to, and one may.
        """
        if name not in self._parts:
            self._parts[name] = _players(name, self.resources)
        return self._parts[name]

    @cached_property
    def unowned(self) -> list[Resource]:
        """The resources that may belong to any system: which one is known only after the deployment."""
        return [one for one in self.resources if one.hides(SYSTEM_LABEL) and one.urn not in self.owners]

    def beneath(self, urn: str) -> Iterator[Resource]:
        """Yield every descendant."""
        todo = list(self._children.get(urn, ()))
        while todo:
            resource = todo.pop()
            yield resource
            todo += self._children.get(resource.urn, ())

    def referring(self, target: Resource, prop: str, *types: str) -> list[Resource]:
        """Return the resources of `types` whose property `prop` comes from `target` or names it.

        Raises:
            UnknownValueError: one of them may: what it names is known only after the deployment, and nothing recorded
                says where that comes from.
        """
        named = [target.inputs.get(key) for key in ("bucket", "name")]
        keys = [(prop, target.urn), *((prop, name) for name in named if isinstance(name, str))]
        found = {one.urn: one for key in keys for one in self._referring.get(key, ()) if one.type.startswith(types)}
        nameless = any(isinstance(name, Unknown) for name in named)
        if self.memo(f"{prop} of {types} {nameless}", lambda graph: graph._may_name_it(prop, types, nameless)):
            raise UnknownValueError(prop)
        return list(found.values())

    def _may_name_it(self, prop: str, types: tuple[str, ...], nameless: bool) -> bool:
        """Return whether one of `types` may name any resource, or any whose own name is not known yet."""
        for one in self.of(*types):
            given = one.inputs.get(prop)
            untold = isinstance(given, Unknown) or (nameless and isinstance(given, str) and given not in self._buckets)
            if untold and not one.record.property_dependencies.get(prop):
                return True
        return False

    @cached_property
    def _buckets(self) -> frozenset[str]:
        """The names by which buckets of this plan are known."""
        given = (
            one.inputs.get(key) for one in self.of("aws:s3/bucket:", "aws:s3/bucketV2:") for key in ("bucket", "name")
        )
        return frozenset(name for name in given if isinstance(name, str))

    def memo(self, key: str, build: Callable[[Graph], T]) -> T:
        """Return what `build` makes of this graph, made once."""
        if key not in self._memo:
            self._memo[key] = build(self)
        return cast("T", self._memo[key])

    @cached_property
    def systems(self) -> list[System]:
        """Every declared AI system, by URN; each knows its place in the declarations."""
        found = []
        for index, resource in enumerate(self.by_urn[urn] for urn in self._declarations):
            name = resource.inputs.get("name", resource.name)
            beneath = list(self.beneath(resource.urn))
            seen = {one.urn for one in beneath} | {resource.urn}
            labelled = self._labelled.get(name, []) if isinstance(name, str) else []
            found.append(System(resource, index, beneath + [one for one in labelled if one.urn not in seen]))
        return sorted(found, key=lambda one: one.declared.urn)

    @cached_property
    def owners(self) -> Mapping[str, System]:
        """URN of a resource to the system it belongs to."""
        return {resource.urn: system for system in self.systems for resource in system.resources}

    @cached_property
    def not_inspected(self) -> list[Resource]:
        """Charts and the like, by name, whose objects this plan does not show; they are counted and never pass."""
        found = [hiding for hiding in self.of(*HIDING) if not self._children.get(hiding.urn)] + [
            one for one in self.resources if one.type.startswith("kubernetes:") and one.type.endswith("List")
        ]
        return sorted(found, key=lambda one: one.name)

    @cached_property
    def unread(self) -> list[Resource]:
        """Objects with containers, by name, of kinds that no policy knows; they are counted and never pass."""
        return sorted((one for one in self.resources if is_unread(one.type, one.inputs)), key=lambda one: one.name)

    @cached_property
    def _referring(self) -> Mapping[tuple[str, str], list[Resource]]:
        """(property, URN it comes from, or text it holds) to the resources with that property."""
        found: dict[tuple[str, str], list[Resource]] = defaultdict(list)
        for resource in self.resources:
            for prop, urns in resource.record.property_dependencies.items():
                for urn in urns:
                    found[prop, urn].append(resource)
            for prop, value in resource.inputs.items():
                if isinstance(value, str):
                    found[prop, value].append(resource)
        return found


def _players(part: str, resources: Iterable[Resource], others: Iterable[Resource] = ()) -> list[Resource]:
    """Return which of `resources` play a part.

    Args:
        part: The part.
        resources: Those that are asked.
        others: Those that may be among them.

    Raises:
        UnknownValueError: none does, and one of either may.
    """
    found, untold = [], []
    for resource in resources:
        try:
            if resource.plays(part):
                found.append(resource)
        except UnknownValueError as error:
            untold.append(error)
    if not found:
        for first in untold:
            raise first
        for one in others:
            if one.plays(part):
                raise UnknownValueError(one.hides(SYSTEM_LABEL))
    return found


def _unpacked(records: Iterable[Record]) -> Iterator[Record]:
    """Yield the records but for the stack's own, and the items of a list in its place."""
    for record in records:
        items = record.inputs.get("items")
        if isinstance(items, Mapping):
            items = [items]  # written without its dash; what may run is looked at, however odd the list
        if record.type == STACK_TYPE:
            continue
        if not record.type.startswith("kubernetes:") or not record.type.endswith("List") or not isinstance(items, list):
            yield record
            continue
        for at, item in enumerate(items):
            if isinstance(item, Unknown):
                kind, inputs = record.type.removesuffix("List"), dict.fromkeys(("metadata", "spec"), item)
                yield replace(
                    record, urn=f"{record.urn}{ITEM}{at}", type=kind, name=f"{record.name}[{at}]", inputs=inputs
                )
            elif isinstance(item, Mapping):
                kind, version = (
                    known if isinstance(known := item.get(key), str) else "" for key in ("kind", "apiVersion")
                )
                own = f"kubernetes:{version if '/' in version else f'core/{version}'}:{kind}"
                type_ = own if kind and version else record.type.removesuffix("List")
                name = _inner(item, "metadata", "name")
                named = name if isinstance(name, str) else f"{record.name}[{at}]"
                yield replace(record, urn=f"{record.urn}{ITEM}{at}", type=type_, name=named, inputs=item)


def _inner(value: Value, *keys: str) -> Value:
    """Return what keys lead to, unknown values too; None where there is nothing."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
