"""Where capabilities are built: what every builder is handed, and what builders hand to those after them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

import pulumi

from mlstrata.components.governance.system import AISystem
from mlstrata.environments import EnvironmentSpec, Workspace
from mlstrata.environments.spec.serving import ServingMode
from mlstrata.environments.spec.system import SystemSpec

UNOWNED = "unowned"
"""The owner in alerts and labels of what nobody is named for."""


@dataclass(frozen=True)
class Outputs:
    """What a builder hands to those after it; each has a class of its own.

    Attributes:
        EXPORTED: Addresses that the stack exports: what answers there, to the attribute with the address.
    """

    EXPORTED: ClassVar[Mapping[str, str]] = {}

    @property
    def urls(self) -> Mapping[str, pulumi.Input[str]]:
        """Addresses that the stack exports, by what answers there."""
        return {name: getattr(self, attribute) for name, attribute in self.EXPORTED.items()}


OutputsT = TypeVar("OutputsT", bound=Outputs)


@dataclass
class Site:
    """An environment while it is built.

    Attributes:
        spec: The environment.
        workspace: The folder with its file.
        systems: The declared systems' components, by name.
    """

    spec: EnvironmentSpec
    workspace: Workspace
    systems: Mapping[str, AISystem]
    _outputs: dict[type[Outputs], Outputs] = field(default_factory=dict, init=False, repr=False, kw_only=True)

    def take(self, outputs: object) -> None:
        """Keep what a builder returned, for those after it.

        Raises:
            TypeError: It is neither `Outputs` nor None.
        """
        if outputs is None:
            return
        if not isinstance(outputs, Outputs):
            raise TypeError(f"a builder returned {type(outputs).__name__}; allowed: a class of Outputs, or None")
        self._outputs[type(outputs)] = outputs

    def find(self, kind: type[OutputsT]) -> OutputsT | None:
        """Return outputs of a class; None: nothing that was built before has any."""
        found = self._outputs.get(kind)
        return found if isinstance(found, kind) else None

    def require(self, kind: type[OutputsT]) -> OutputsT:
        """Return outputs of a class.

        Raises:
            LookupError: Nothing that was built before has any: the builder is to be declared `after` what has.
        """
        found = self.find(kind)
        if found is None:
            raise LookupError(f"no {kind.__name__} yet; declare the builder `after` the capability that has them")
        return found

    @property
    def urls(self) -> dict[str, pulumi.Input[str]]:
        """Every address that builders hand over, by what answers there."""
        return {name: url for one in self._outputs.values() for name, url in one.urls.items()}

    @property
    def realtime(self) -> Iterator[SystemSpec]:
        """The systems that answer requests."""
        return (one for one in self.spec.systems if one.serving.mode is ServingMode.REALTIME)

    def owner_of(self, system: SystemSpec) -> str:
        """Return who is told when a system is not well."""
        return self.spec.owner_of(system) or UNOWNED
