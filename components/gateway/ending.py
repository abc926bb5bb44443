"""When a system ends and what takes over, as its callers are told in each answer from the day it is planned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from mlstrata.environments import EnvironmentSpec, SystemSpec


@dataclass(frozen=True)
class Ending:
    """The planned end of a system.

    Attributes:
        sunset: The day on which it is retired; None: none is planned.
        successor: Path of what takes over; empty: it is not replaced.
    """

    sunset: date | None = None
    successor: str = ""

    @classmethod
    def of(cls, spec: EnvironmentSpec, system: SystemSpec) -> Ending:
        """Return what the file says of a system: the newest version of its successor's interface that stays."""
        named = next((one for one in spec.systems if one.name == system.retire.successor), None)
        if named is None or not named.serving.api_versions:
            return cls(system.retire.date)
        outgoing = {one.api for one in named.serving.deprecations}
        staying = [api for api in named.serving.api_versions if api not in outgoing] or named.serving.api_versions
        newest = max(staying, key=lambda api: int(api.removeprefix("v")))
        return cls(system.retire.date, f"/systems/{named.name}/{newest}/predict")
