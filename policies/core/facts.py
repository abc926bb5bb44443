"""What a check knows about an environment beside its resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from mlstrata.environments import Stage
from mlstrata.policies.core.dates import Enforcement
from mlstrata.policies.core.live import Live

_PRODUCTION = ("prod", "production", "live")


@dataclass(frozen=True)
class Document:
    """What is known of a document that a system names.

    Attributes:
        exists: The file is there; None where nobody looked (an address on the web).
        reviewed: Day of its last review, as it says itself.
        notified: Day on which an authority was told of it, as it says itself.
        sections: Numbers of its sections that hold text.
        model_version: The model version it describes.
    """

    exists: bool | None = None
    reviewed: date | None = None
    notified: date | None = None
    sections: frozenset[int] = frozenset()
    model_version: str = ""


@dataclass(frozen=True)
class Environment:
    """An environment as far as checks need it; whoever runs the checks fills it in.

    Attributes:
        name: Its name; `prod`, `production`, `live` and names that start or end with them are production.
        target: Kind of target: local, kubernetes, aws; empty for a program that is not ours.
        region: Where it runs; empty where it is not known.
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
        live: Facts of the running platform; None where nobody asked it.
    """

    name: str
    target: str = ""
    region: str = ""
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
    live: Live | None = None

    @property
    def production(self) -> bool:
        """Return whether customers depend on it, by its name: the file has no other word for it."""
        return bool(set(self.name.replace("_", "-").split("-")) & set(_PRODUCTION))
