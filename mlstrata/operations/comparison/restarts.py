"""What a change to a resource restarts, and how those who ask it notice: by kind, from what each controller does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_WORKLOADS = (
    ("Deployment", r"spec\.template\.", "its pods, new ones before the old end"),
    ("StatefulSet", r"spec\.template\.", "its pods, one after another"),
    ("DaemonSet", r"spec\.template\.", "its pods, node by node"),
    # Traffic and replicas are the rollout's, and change with no restart.
    (
        "SeldonDeployment",
        r"spec\.predictors\.\d+\.(?!traffic$|replicas$)",
        "its prediction pods, new ones before the old end",
    ),
    (
        "Cluster",
        r"spec\.(imageName|resources|postgresql|priorityClassName)",
        "Postgres: copies first, then a switch-over of seconds",
    ),
    (
        "Prometheus",
        r"spec\.(image|version|resources|retention|priorityClassName|podMetadata)",
        "its pods, one after another",
    ),
    ("Alertmanager", r"spec\.(image|version|resources|priorityClassName|podMetadata)", "its pods, one after another"),
    ("EnvoyProxy", r"spec\.provider\.", "the gateway's proxies, one after another"),
)
_LOCAL = (
    ("Service", r"(command|code|environment|directory|ports)\b", "its process"),
    ("Supervisor", r"", "every process"),
)
_CHARTS = ("Release", r"(version|chart|values\b.*)", "the pods that its chart changes (a chart is not inspected)")
_BUNDLES = (
    ("Directory", r"directory", "the pods that its bundle changes (a bundle is not inspected)"),
    ("ConfigFile", r"file$", "the pods that its bundle changes (a bundle is not inspected)"),
)
_DEFINITIONS = "-crds"
_RECREATED = ("Deployment", "spec.strategy.type", "Recreate")
_FILE = re.compile(r"files\.(?P<file>.+)\.(content|mode)$")


def restarts(resource: str, paths: Sequence[str], after: Mapping[str, object]) -> str:
    """Say what a change restarts.

    Args:
        resource: Its type's own name and its name.
        paths: The properties that change.
        after: All of its properties as they will be.

    Returns:
        What restarts and how; empty: nothing does.
    """
    kind, _, name = resource.partition(" ")
    # Definitions of custom resources run nowhere.
    if name.endswith(_DEFINITIONS):
        return ""
    for known, pattern, what in (*_WORKLOADS, *_LOCAL, _CHARTS, *_BUNDLES):
        if known == kind and any(re.match(pattern, path) for path in paths):
            if (kind, after.get(_RECREATED[1])) == (_RECREATED[0], _RECREATED[2]):
                return "its pod, which is away until the new one is ready"
            return what
    if kind == "Service" and any(_restarting(path, after) for path in paths):
        return "its process"
    return ""


def _restarting(path: str, after: Mapping[str, object]) -> bool:
    """Whether a service is started anew for a file; some it reads by itself."""
    found = _FILE.match(path)
    return found is not None and after.get(f"files.{found['file']}.restart", True) is not False
