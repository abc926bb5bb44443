"""What a check knows about an environment beside its resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from mlstrata.environments import Stage
from mlstrata.environments.days import ZONE
from mlstrata.policies.core.dates import Enforcement
from mlstrata.policies.core.live import Live


class PodStandard(StrEnum):
    """Axis: which of Kubernetes' pod security standards is asked of every pod."""

    BASELINE = "baseline"
    RESTRICTED = "restricted"


@dataclass(frozen=True)
class Document:
    """What is known of a document that a system names.

    Attributes:
        exists: The file is there; None where its text was not read (an address on the web, a PDF).
        reviewed: Day of its last review, as it says itself.
        dated: Day it bears otherwise, as it says itself.
        signed: Somebody's name stands under it.
        notified: Day on which an authority was told of it, as it says itself.
        sections: Numbers of its sections that hold text.
        model_version: The model version it describes.
        lacks: Points that it does not speak of, of papers of every kind (`papers.yaml`).
        empty: It holds no sentence: nothing, headings, placeholders or a block of code only.
    """

    exists: bool | None = None
    reviewed: date | None = None
    dated: date | None = None
    signed: bool = False
    notified: date | None = None
    sections: frozenset[int] = frozenset()
    model_version: str = ""
    empty: bool = False
    lacks: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Environment:
    """An environment as far as checks need it; whoever runs the checks fills it in.

    Attributes:
        name: Its name.
        production: People depend on it, as its file says; None where nobody said.
        target: Kind of target: local, kubernetes, aws; empty for a program that is not ours.
        region: Where it runs; empty where it is not known.
        timezone: The time zone whose days everything is judged by.
        frameworks: Ids of the frameworks whose duties reports count.
        stage: Its stage; None for a program that is not ours, whose capabilities nobody declares.
        capabilities: Its capabilities.
        enforcement: Whether duties block before their day.
        retention: Kept in days, by what: predictions, logs, documents; empty where nothing is declared.
        owner: Who answers for it.
        cost_centre: Account that what nobody else pays for is booked to; empty where none is declared.
        labels: Labels that the file gives it.
        documents: Path of a document to what is known of it.
        gpu_pools: Name of a declared pool to its fewest nodes.
        mirror: Registry, with its path, that the environment takes its images from; empty without one.
        registries: Registries of its own beside those that are known, each with the path that is allowed.
        storage_key: Name of the organisation's own key that encrypts its storage; empty where none is declared.
        signature_policy: Name of the cluster's own policy that rejects unsigned images; empty where none is declared.
        documents_days: For how many days another stack of it locks documents against deletion; 0 where none does.
        pods: The standard that pods are held to; only manifests from elsewhere may be held to the looser one.
        live: Facts of the running platform; None where nobody asked it.
    """

    name: str
    production: bool | None = None
    target: str = ""
    region: str = ""
    timezone: str = ZONE
    frameworks: tuple[str, ...] = ()
    stage: Stage | None = None
    capabilities: frozenset[str] = frozenset()
    enforcement: Enforcement = Enforcement.NOW
    retention: Mapping[str, float] = field(default_factory=dict)
    owner: str = ""
    cost_centre: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    documents: Mapping[str, Document] = field(default_factory=dict)
    gpu_pools: Mapping[str, int] = field(default_factory=dict)
    mirror: str = ""
    registries: tuple[str, ...] = ()
    storage_key: str = ""
    signature_policy: str = ""
    documents_days: float = 0
    pods: PodStandard = PodStandard.RESTRICTED
    live: Live | None = None

    @property
    def before_production(self) -> bool:
        """Return whether the file says that nobody depends on it: until it does, the Act's papers are due."""
        return self.production is False

    @property
    def in_production(self) -> bool:
        """Return whether to operate it as production: as its file says, else wherever there is a cluster."""
        return self.target in {"kubernetes", "aws"} if self.production is None else self.production
