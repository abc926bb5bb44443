"""What an environment's file says about the whole of it, in the graph, where policies and evidence read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pulumi

from mlstrata.components.base import Component
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.days import ZONE
from mlstrata.environments.spec.environment import FRAMEWORKS
from mlstrata.environments.spec.storage import S3Storage
from mlstrata.environments.stages import ENTRIES, added_by

_DAY = timedelta(days=1)
NAME = "environment"


@dataclass(frozen=True)
class EnvironmentArgs:
    """Arguments of `Environment`.

    Attributes:
        facts: Name, target, region, time zone and frameworks where they are others, owner, cost centre, labels,
            enforcement, days of retention, days of the lock of documents in another stack, fewest nodes of each GPU
            pool, and the registries of its mirror and its own images, the name of its storage's key and of its
            cluster's policy on signatures where it has them; plain.
        stages: Name of each stage that is reached to the capabilities that it brings and that are on.
        switched_on: Capabilities that the file declares or switches on by itself, whatever the stage.
    """

    facts: Mapping[str, Any]
    stages: Mapping[str, tuple[str, ...]]
    switched_on: tuple[str, ...]

    @classmethod
    def of(cls, spec: EnvironmentSpec) -> EnvironmentArgs:
        """Return what an environment's file says."""
        kept, capabilities = spec.retention, spec.capabilities
        unstaged = {entry.capability for entry in ENTRIES.values() if entry.stage is None}
        facts = {
            "name": spec.name,
            "target": spec.target.kind,
            "region": spec.target.region or "",
            "owner": spec.owner or "",
            "enforce": spec.enforce.value,
            "retention": {
                "predictions": kept.predictions / _DAY,
                "logs": kept.logs / _DAY,
                "documents": kept.documents / _DAY,
            },
            "gpu_pools": {pool.name: pool.nodes.min for pool in spec.gpu_pools},
            # Only where there is one: an environment without is what it was before there were mirrors.
            **({"mirror": spec.mirror.registry} if spec.mirror else {}),
            **({"registries": registries} if (registries := _registries(spec)) else {}),
            **({"storage_key": key} if (key := _key(spec)) else {}),
            **({"signature_policy": spec.images.signature_policy} if spec.images.signature_policy else {}),
            **({} if spec.timezone == ZONE else {"timezone": spec.timezone}),
            **({} if spec.frameworks == FRAMEWORKS else {"frameworks": list(spec.frameworks)}),
            **({} if spec.production is None else {"production": spec.production}),
            "cost_centre": spec.cost_centre or "",
            "labels": dict(spec.labels),
        }
        stages = {stage.value: _names(capabilities.intersection(added_by(stage))) for stage in spec.stage.reached}
        return cls(facts, stages, _names(capabilities & (unstaged | set(spec.switches.on))))


class Environment(Component):
    """An environment as declared.

    Each stage that it reached, and each capability switched on beside them, is a component beneath it: moving up a
    stage then only adds resources here too, where one list of capabilities would be an update.
    """

    def __init__(self, name: str, args: EnvironmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("governance", name, args.facts, opts)
        for stage, capabilities in args.stages.items():
            Stage(stage, capabilities, self.child())
        for capability in args.switched_on:
            SwitchedOn(capability, self.child())
        self.register_outputs({})


class Stage(Component):
    """A stage that an environment reached, with the capabilities that it brings."""

    def __init__(self, name: str, capabilities: tuple[str, ...], opts: pulumi.ResourceOptions) -> None:
        super().__init__("governance", name, {"capabilities": list(capabilities)}, opts)
        self.register_outputs({})


class SwitchedOn(Component):
    """A capability that an environment's file declares or switches on by itself."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions) -> None:
        super().__init__("governance", name, {}, opts)
        self.register_outputs({})


def declare(spec: EnvironmentSpec, ground: Mapping[str, Any] = MappingProxyType({})) -> Environment:
    """Register what an environment's file says about the whole of it, and what is known of what it stands on."""
    declared = EnvironmentArgs.of(spec)
    return Environment(NAME, replace(declared, facts={**declared.facts, **ground}))


def _names(capabilities: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(map(str, capabilities)))


def _registries(spec: EnvironmentSpec) -> list[str]:
    """Return where an organisation's images of the services lie, registry and path; empty: it has none of its own."""
    named = [one.rpartition("/")[0] for one in (spec.images.runtime, spec.images.serving) if one]
    return list(dict.fromkeys(named))


def _key(spec: EnvironmentSpec) -> str:
    """Return the name of an organisation's own key of its storage; empty: it declares none."""
    return (spec.storage.encryption_key or "") if isinstance(spec.storage, S3Storage) else ""
