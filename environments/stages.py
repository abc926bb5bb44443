"""The one table of what each stage brings; nothing else in the project decides by stage.

A stage is what the stage below it has, and more: `capabilities_of` is a union over the table up to the stage, so
moving up can only add. An extension adds rows by `register`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Stage(StrEnum):
    """How far an organisation is with its ML platform; each contains the one before it."""

    PREREQUISITES = "prerequisites"
    FOUNDATION = "foundation"
    SCALE = "scale"
    MATURE = "mature"

    @property
    def rank(self) -> int:
        """Return the place in the order, from 0."""
        return list(Stage).index(self)

    @property
    def reached(self) -> tuple[Stage, ...]:
        """Return the stages that this one contains, itself included, from the lowest."""
        return tuple(Stage)[: self.rank + 1]


class Capability(StrEnum):
    """What a platform can do by itself; code asks `Capability.RECORDING in spec.capabilities`, never for a stage.

    A member equals its name, so a capability of an extension, which is a name alone, stands beside these everywhere.
    """

    REGISTRY = "registry"
    TRAINING = "training"
    TESTS = "tests"
    GATEWAY = "gateway"
    SERVING = "serving"
    BATCH = "batch"
    PLAUSIBILITY = "plausibility"
    ALERTS = "alerts"
    RELEASE = "release"
    LINEAGE = "lineage"

    PIPELINES = "pipelines"
    TUNING = "tuning"
    DISTRIBUTED_TRAINING = "distributed_training"
    TRACKING = "tracking"
    CATALOG = "catalog"
    DATA_VERSIONING = "data_versioning"
    REGULATORY_TESTS = "regulatory_tests"
    DATA_QUALITY = "data_quality"

    ROLLOUT = "rollout"
    RECORDING = "recording"
    MONITORING = "monitoring"
    FAIRNESS = "fairness"
    EXPLANATION = "explanation"
    FALLBACK = "fallback"
    SLA = "sla"

    STEP_PACKAGES = "step_packages"
    RETRAINING = "retraining"
    FEATURE_STORE = "feature_store"
    BANDIT = "bandit"
    ONLINE_LEARNING = "online_learning"
    PRODUCTION_TESTS = "production_tests"
    RETIREMENT = "retirement"

    GPU_POOLS = "gpu_pools"
    TEAMS = "teams"
    SECRETS = "secrets"
    NETWORK_POLICY = "network_policy"
    ENCRYPTION = "encryption"
    BACKUP = "backup"
    COST = "cost"
    PORTAL = "portal"


@dataclass(frozen=True)
class Entry:
    """A row of the table.

    Attributes:
        capability: what is brought.
        stage: the stage that brings it; None for what no stage decides: the spec declares it or switches it on.
        reason: why it comes there and not later.
        needs: capabilities without which it cannot work.
        on_demand: it takes resources only where the spec asks for it (a batch system, a bandit, a GPU pool), so a
            target that has not built it can still run an environment that does not ask.
        ports: the ports on this machine that a file may choose (`target.ports`), each with its default; 0: a free one.
    """

    capability: str
    stage: Stage | None
    reason: str
    needs: tuple[str, ...] = ()
    on_demand: bool = False
    ports: Mapping[str, int] = field(default_factory=dict, hash=False)


_C = Capability
_P, _F, _S, _M = Stage.PREREQUISITES, Stage.FOUNDATION, Stage.SCALE, Stage.MATURE

TABLE: tuple[Entry, ...] = (
    Entry(
        _C.REGISTRY,
        _P,
        "Without numbered versions of models nothing can be released, rolled back or explained.",
        ports={"mlflow": 5000},
    ),
    Entry(_C.TRAINING, _P, "A model that is trained by a job, not on a laptop, can be trained again.", (_C.REGISTRY,)),
    Entry(_C.TESTS, _P, "Tests before training are cheaper than a model trained by broken code.", (_C.TRAINING,)),
    Entry(
        _C.GATEWAY,
        _P,
        "Every consumer is authenticated and limited from the first request.",
        ports={"gateway": 8080},
    ),
    Entry(
        _C.SERVING,
        _P,
        "A model helps once something can call it.",
        (_C.GATEWAY, _C.REGISTRY),
        on_demand=True,
    ),
    Entry(_C.BATCH, _P, "Many decisions need no API: a scheduled job is the simplest service.", (_C.REGISTRY,), True),
    Entry(_C.PLAUSIBILITY, _P, "An impossible answer must be caught before anyone acts on it."),
    Entry(
        _C.ALERTS,
        _P,
        "Operators must be alerted when a service fails, is slow or runs out of resources.",
        ports={"prometheus": 9090, "alertmanager": 9093},
    ),
    Entry(_C.RELEASE, _P, "A person decides from metrics, and can take it back: release and rollback.", (_C.REGISTRY,)),
    Entry(
        _C.LINEAGE,
        _P,
        "Commit, settings, data version and metrics cannot be reconstructed later.",
        (_C.REGISTRY, _C.TRAINING),
    ),
    Entry(
        _C.PIPELINES,
        _F,
        "Reusable steps with their own resources and caching replace one long script.",
        (_C.TRAINING,),
        ports={"runner": 0},
    ),
    Entry(_C.TUNING, _F, "Once steps run in parallel, so can the search for settings.", (_C.PIPELINES,), True),
    Entry(
        _C.DISTRIBUTED_TRAINING,
        _F,
        "Once steps declare resources, one can take several machines.",
        (_C.PIPELINES,),
        True,
    ),
    Entry(_C.TRACKING, _F, "Several people's experiments need one place to compare them.", (_C.REGISTRY,)),
    Entry(
        _C.CATALOG,
        _F,
        "With several products, which data each of them uses must be known.",
        (_C.TRACKING,),
        ports={"catalog": 0},
    ),
    Entry(_C.DATA_VERSIONING, _F, "A result is repeatable only with the very same data.", (_C.PIPELINES,)),
    Entry(_C.REGULATORY_TESTS, _F, "Personal data must be found before it is trained on.", (_C.PIPELINES,)),
    Entry(_C.DATA_QUALITY, _F, "Bad data is stopped at the first step, not in the model's metrics.", (_C.PIPELINES,)),
    Entry(
        _C.ROLLOUT,
        _S,
        "Many releases need a judge that is not a person: champion against challenger.",
        (_C.RELEASE, _C.SERVING),
    ),
    Entry(
        _C.RECORDING,
        _S,
        "What was predicted, from what, by which version, must be answerable.",
        (_C.SERVING,),
        ports={"recorder": 0},
    ),
    Entry(
        _C.MONITORING,
        _S,
        "Drift, outliers and live accuracy show only in what was recorded.",
        (_C.RECORDING, _C.ALERTS),
        ports={"monitor": 0},
    ),
    Entry(_C.FAIRNESS, _S, "Differences between groups show only over many recorded decisions.", (_C.MONITORING,)),
    Entry(_C.EXPLANATION, _S, "People may ask why; the answer must be made with the prediction.", (_C.SERVING,)),
    Entry(_C.FALLBACK, _S, "When the model is unsure, a person or a rule must take over.", (_C.SERVING,)),
    Entry(_C.SLA, _S, "Others build on the service, so what it promises is measured.", (_C.SERVING, _C.ALERTS)),
    Entry(_C.STEP_PACKAGES, _M, "Steps shared by many pipelines get versions of their own.", (_C.PIPELINES,)),
    Entry(
        _C.RETRAINING,
        _M,
        "With trusted alerts and rollouts, an alert may start the next model.",
        (_C.PIPELINES, _C.MONITORING, _C.ROLLOUT),
        ports={"learning": 0},
    ),
    Entry(
        _C.FEATURE_STORE,
        _M,
        "Teams share features, and training and serving see the same ones.",
        (_C.DATA_VERSIONING,),
        True,
    ),
    Entry(
        _C.BANDIT,
        _M,
        "Traffic can find the better model by itself once reward is fed back.",
        (_C.ROLLOUT, _C.MONITORING),
        True,
    ),
    Entry(
        _C.ONLINE_LEARNING,
        _M,
        "A model may learn from each answer once every step back is safe.",
        (_C.RETRAINING,),
        True,
    ),
    Entry(
        _C.PRODUCTION_TESTS, _M, "What cannot be tested beforehand is tested on live traffic, safely.", (_C.ROLLOUT,)
    ),
    Entry(_C.RETIREMENT, _M, "With many models in use, the old ones must go in an orderly way.", (_C.RELEASE,)),
    Entry(_C.GPU_POOLS, None, "Some models need accelerators at any stage.", on_demand=True),
    Entry(_C.TEAMS, None, "Several teams on one platform need quotas and costs of their own.", on_demand=True),
    Entry(_C.SECRETS, None, "An organisation with a secret store keeps its secrets there.", on_demand=True),
    Entry(_C.NETWORK_POLICY, None, "A shared cluster needs walls between its tenants.", on_demand=True),
    Entry(_C.ENCRYPTION, None, "Keys of one's own are asked for by data protection, not by a stage.", on_demand=True),
    Entry(_C.BACKUP, None, "What cannot be made again is worth a copy at any stage.", on_demand=True),
    Entry(_C.COST, None, "Spending is tracked once costs are charged to teams or systems.", on_demand=True),
    Entry(_C.PORTAL, None, "One page for everyone, wanted by some at any stage.", (_C.REGISTRY,), True),
)

ENTRIES: dict[str, Entry] = {entry.capability: entry for entry in TABLE}
"""Every row by its capability: the table's, then those of extensions."""
_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")


def register(entry: Entry) -> None:
    """Add an extension's row; the same row again changes nothing.

    Raises:
        ValueError: Its name is none or is taken, it needs a capability that is not known, or a port of its is taken.
    """
    name = str(entry.capability)
    if ENTRIES.get(name) == entry:
        return
    if not _NAME.fullmatch(name):
        raise ValueError(f"capability {name!r}: allowed 2 to 40 of a-z, 0-9 and '_', a letter first")
    if name in ENTRIES:
        raise ValueError(f"capability {name!r}: is known already; give yours another name")
    if unknown := [needed for needed in entry.needs if needed not in ENTRIES]:
        raise ValueError(f"capability {name!r}: needs {unknown[0]!r}, which is not known; allowed {', '.join(ENTRIES)}")
    if taken := sorted(set(entry.ports) & set(default_ports())):
        raise ValueError(f"capability {name!r}: port {taken[0]!r} is another capability's; give yours another name")
    ENTRIES[name] = entry


def withdraw(name: str) -> None:
    """Take an extension's row out again; one of the table stays."""
    if not any(entry.capability == name for entry in TABLE):
        ENTRIES.pop(name, None)


def named(name: str) -> str:
    """Return a known capability by its name: the product's own as a member of `Capability`.

    Raises:
        KeyError: There is none of this name.
    """
    return ENTRIES[name].capability


def default_ports() -> dict[str, int]:
    """Return the ports on this machine that a file may choose, each with its default."""
    return {name: port for entry in ENTRIES.values() for name, port in entry.ports.items()}


def capabilities_of(stage: Stage) -> frozenset[str]:
    """Return what `stage` has: what it adds, and all that the stages below it have."""
    return frozenset(entry.capability for entry in ENTRIES.values() if entry.stage in stage.reached)


def added_by(stage: Stage) -> tuple[str, ...]:
    """Return what `stage` adds to the one below it, in the table's order."""
    return tuple(entry.capability for entry in ENTRIES.values() if entry.stage is stage)


def stage_of(capability: str) -> Stage | None:
    """Return the stage that brings `capability`; None where no stage does."""
    return ENTRIES[capability].stage


def missing_needs(capabilities: frozenset[str]) -> list[tuple[str, str]]:
    """Return every (capability, needed capability) of which the second is not among `capabilities`."""
    return [
        (entry.capability, needed)
        for entry in ENTRIES.values()
        if entry.capability in capabilities
        for needed in entry.needs
        if needed not in capabilities
    ]
