"""Environments: what a platform is to be, as one closed and frozen spec; pure, it touches no cloud and no Pulumi."""

from mlstrata.environments.loading.errors import SpecError, SpecErrors
from mlstrata.environments.loading.loader import Loaded, load, load_with_places, loads
from mlstrata.environments.spec.environment import EnvironmentSpec
from mlstrata.environments.spec.quantities import Rate, format_duration
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.environments.stages import Capability, Stage
from mlstrata.environments.workspace import Workspace, WorkspaceError

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
    "WorkspaceError",
    "format_duration",
    "load",
    "load_with_places",
    "loads",
]
