"""Environments: what a platform is to be, as one closed and frozen spec; pure, it touches no cloud and no Pulumi."""

from environments.loading.errors import SpecError, SpecErrors
from environments.loading.loader import Loaded, load, load_with_places, loads
from environments.spec.environment import EnvironmentSpec
from environments.spec.quantities import Rate, format_duration
from environments.spec.system import SystemSpec
from environments.stages import Capability, Stage
from environments.workspace import Workspace

__all__ = [
    "Capability",
    "EnvironmentSpec",
    "Loaded",
    "Rate",
    "SpecError",
    "SpecErrors",
    "Stage",
    "SystemSpec",
    "Workspace",
    "format_duration",
    "load",
    "load_with_places",
    "loads",
]
