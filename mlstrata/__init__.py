"""mlstrata: one file describes an ML platform environment; its resources, releases and evidence follow from it.

What others may rely on stands in `__all__`; it is imported when it is asked for, so `import mlstrata` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlstrata.environments import EnvironmentSpec, SpecErrors, Workspace, WorkspaceError, load
    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.errors import Failed, UsageError

__all__ = [
    "Deployment",
    "EnvironmentSpec",
    "Failed",
    "SpecErrors",
    "UsageError",
    "Workspace",
    "WorkspaceError",
    "load",
]

_WHERE = {
    "mlstrata.environments": ("EnvironmentSpec", "SpecErrors", "Workspace", "WorkspaceError", "load"),
    "mlstrata.operations.deployment": ("Deployment",),
    "mlstrata.operations.errors": ("Failed", "UsageError"),
}


def __getattr__(name: str) -> object:
    for module, names in _WHERE.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'mlstrata' has no attribute {name!r}")
