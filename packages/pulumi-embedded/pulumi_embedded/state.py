"""The checkpoint in memory: resource states, pending operations, the snapshot; and its JSON form (version 3, or 4)."""

from __future__ import annotations

import datetime
import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pulumi_embedded.secrets import SecretBox

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"
DYNAMIC_PACKAGE = "pulumi-python"

FEATURES = ("replaceWith", "taint")
"""What a checkpoint of version 4 may say that it uses, for this engine to read it."""

Pending = Literal["creating", "updating", "deleting", "reading"]


def now() -> str:
    """Current time in RFC 3339, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")


def make_urn(stack: str, project: str, parent: str, kind: str, name: str) -> str:
    """Build a URN; the stack itself adds nothing to the chain of parent types."""
    chain = parent_chain(parent)
    return f"urn:pulumi:{stack}::{project}::{chain}{kind}::{name}"


def parent_chain(parent: str) -> str:
    """Give the ``Parent$`` part that children of this URN carry ("" under the stack or nothing)."""
    if not parent:
        return ""
    qualified = parent.split("::", 3)[2]
    return "" if qualified == STACK_TYPE else f"{qualified}$"


def urn_name(urn: str) -> str:
    """Last part of a URN."""
    return urn.split("::", 3)[3]


def urn_type(urn: str) -> str:
    """Type of the resource itself, without its parents' types."""
    return urn.split("::", 3)[2].rsplit("$", 1)[-1]


def provider_urn(reference: str) -> str:
    """URN of a provider reference ``urn::id``."""
    return reference.rsplit("::", 1)[0]


_cache_lock = threading.Lock()

# JSON key -> attribute, in the order the CLI writes them; absent when empty.
_FIELDS = (
    ("delete", "delete"),
    ("id", "id"),
    ("type", "type"),
    ("inputs", "inputs"),
    ("outputs", "outputs"),
    ("parent", "parent"),
    ("protect", "protect"),
    ("taint", "taint"),
    ("external", "external"),
    ("dependencies", "dependencies"),
    ("initErrors", "init_errors"),
    ("provider", "provider"),
    ("propertyDependencies", "property_dependencies"),
    ("pendingReplacement", "pending_replacement"),
    ("additionalSecretOutputs", "additional_secret_outputs"),
    ("aliases", "aliases"),
    ("customTimeouts", "custom_timeouts"),
    ("importID", "import_id"),
    ("retainOnDelete", "retain_on_delete"),
    ("deletedWith", "deleted_with"),
    ("replaceWith", "replace_with"),
    ("created", "created"),
    ("modified", "modified"),
    ("ignoreChanges", "ignore_changes"),
    ("replaceOnChanges", "replace_on_changes"),
)
_KNOWN = {"urn", "custom", *(key for key, _ in _FIELDS)}


@dataclass(eq=False)
class ResourceState:
    """One resource of the snapshot. Change an attribute only through :meth:`change`, which drops the cached JSON."""

    urn: str
    type: str
    custom: bool
    id: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    parent: str = ""
    provider: str = ""
    protect: bool = False
    taint: bool = False
    external: bool = False
    delete: bool = False
    pending_replacement: bool = False
    retain_on_delete: bool = False
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    init_errors: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    custom_timeouts: dict[str, Any] = field(default_factory=dict)
    import_id: str = ""
    deleted_with: str = ""
    replace_with: list[str] = field(default_factory=list)
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    created: str = ""
    modified: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    _json: str | None = field(default=None, repr=False)
    _references: frozenset[str] | None = field(default=None, repr=False)
    _changes: int = field(default=0, repr=False)

    @property
    def name(self) -> str:
        """The resource's own name."""
        return urn_name(self.urn)

    @property
    def is_provider(self) -> bool:
        """Whether this is a provider resource."""
        return self.type.startswith(PROVIDER_PREFIX)

    @property
    def is_dynamic(self) -> bool:
        """Whether a dynamic provider (this engine's own) manages it."""
        return self.custom and self.type.startswith(f"{DYNAMIC_PACKAGE}:")

    def change(self, **attributes: object) -> None:
        """Set attributes and forget the cached JSON."""
        with _cache_lock:
            for name, value in attributes.items():
                setattr(self, name, value)
            self._json, self._references, self._changes = None, None, self._changes + 1

    def references(self) -> frozenset[str]:
        """URNs of everything this resource needs to exist before it."""
        known, changes = self._references, self._changes
        if known is None:
            known = self._find_references()
            with _cache_lock:
                if changes == self._changes:
                    self._references = known
        return known

    def _find_references(self) -> frozenset[str]:
        found = set(self.dependencies)
        for urns in self.property_dependencies.values():
            found.update(urns)
        if self.parent:
            found.add(self.parent)
        if self.provider:
            found.add(provider_urn(self.provider))
        if self.deleted_with:
            found.add(self.deleted_with)
        found.update(self.replace_with)
        return frozenset(found)

    def rename(self, renamed: Mapping[str, str]) -> None:
        """Follow renamed URNs in every reference."""
        provider = self.provider
        if provider and provider_urn(provider) in renamed:
            provider = f"{renamed[provider_urn(provider)]}::{provider.rsplit('::', 1)[1]}"
        self.change(
            parent=renamed.get(self.parent, self.parent),
            provider=provider,
            deleted_with=renamed.get(self.deleted_with, self.deleted_with),
            replace_with=[renamed.get(urn, urn) for urn in self.replace_with],
            dependencies=[renamed.get(urn, urn) for urn in self.dependencies],
            property_dependencies={
                key: [renamed.get(urn, urn) for urn in urns] for key, urns in self.property_dependencies.items()
            },
        )

    def dump(self, box: SecretBox) -> dict[str, Any]:
        """Give the JSON form, secrets encrypted."""
        written: dict[str, Any] = {"urn": self.urn, "custom": self.custom}
        for key, attribute in _FIELDS:
            value = getattr(self, attribute)
            if key in ("inputs", "outputs"):
                value = box.dump(value, f"{self.urn}#{key}")
            if value:
                written[key] = value
        return {**written, **self.extra}

    def json(self, box: SecretBox) -> str:
        """Give the JSON text, computed once until :meth:`change`."""
        text, changes = self._json, self._changes
        if text is None:
            text = json.dumps(self.dump(box), ensure_ascii=False, separators=(", ", ": "))
            with _cache_lock:
                if changes == self._changes:
                    self._json = text
        return text

    @classmethod
    def load(cls, raw: Mapping[str, Any], box: SecretBox) -> ResourceState:
        """Read the JSON form; keys this engine does not know are kept as they are."""
        urn = raw["urn"]
        known = {attribute: raw[key] for key, attribute in _FIELDS if raw.get(key) is not None}
        for key in ("inputs", "outputs"):
            known[key] = box.load(raw.get(key) or {}, f"{urn}#{key}")
        known.setdefault("type", urn_type(urn))
        extra = {key: value for key, value in raw.items() if key not in _KNOWN}
        return cls(urn=urn, custom=bool(raw.get("custom")), extra=extra, **known)


@dataclass(eq=False)
class Operation:
    """A step that was started and whose end is not recorded."""

    resource: ResourceState
    type: Pending


@dataclass
class Snapshot:
    """All that a stack has, in dependency order, with what was under way when it was written."""

    resources: list[ResourceState] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, deployment: Mapping[str, Any] | None, box: SecretBox) -> Snapshot:
        """Read the ``latest`` part of a checkpoint."""
        if not deployment:
            return cls()
        return cls(
            [ResourceState.load(raw, box) for raw in deployment.get("resources") or []],
            [
                Operation(ResourceState.load(raw["resource"], box), raw["type"])
                for raw in deployment.get("pending_operations") or []
            ],
            dict(deployment.get("metadata") or {}),
        )


def features_of(resources: list[ResourceState]) -> list[str]:
    """Name what in these resources an older reader of checkpoints would lose; those of FEATURES, in order."""
    used = {"replaceWith": any(one.replace_with for one in resources), "taint": any(one.taint for one in resources)}
    return [name for name in FEATURES if used[name]]


def checkpoint_text(
    stack: str,
    resources: list[ResourceState],
    operations: list[Operation],
    metadata: Mapping[str, Any],
    box: SecretBox,
) -> str:
    """Write a whole checkpoint file, one resource a line.

    The CLI checks ``magic`` against the SHA-256 of ``version`` unless both are empty.
    """
    rows = ",\n".join(state.json(box) for state in resources)
    pending = ",\n".join(
        f'{{"resource": {operation.resource.json(box)}, "type": "{operation.type}"}}' for operation in operations
    )
    head: dict[str, Any] = {"manifest": {"time": now(), "magic": "", "version": ""}}
    if box.manager.state is not None:
        head["secrets_providers"] = {"type": "passphrase", "state": {"salt": box.manager.state}}
    parts = [json.dumps(head, ensure_ascii=False)[1:-1]]
    if rows:
        parts.append(f'"resources": [\n{rows}\n]')
    if pending:
        parts.append(f'"pending_operations": [\n{pending}\n]')
    parts.append(f'"metadata": {json.dumps(dict(metadata))}')
    body = ",\n".join(parts)
    features = features_of(resources)
    version = f'"version": 4, "features": {json.dumps(features)}' if features else '"version": 3'
    return f'{{{version}, "checkpoint": {{"stack": {json.dumps(stack)}, "latest": {{\n{body}\n}}}}}}\n'


def magic_is_right(manifest: Mapping[str, Any]) -> bool:
    """Whether the CLI would take this manifest."""
    magic, version = manifest.get("magic") or "", manifest.get("version") or ""
    return magic == "" == version or magic == hashlib.sha256(version.encode()).hexdigest()
