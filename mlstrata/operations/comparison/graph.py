"""`python -m mlstrata.operations.comparison.graph ENV`: an environment's planned resources as JSON.

Planned as new, with neither state, secrets nor the network; what is secret or not known yet is a marker.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from mlstrata.environments.installation import programs_folder
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.policy_check import planned
from mlstrata.policies.adapters.embedded_graph import records

Graph = dict[str, dict[str, Any]]


def graph_of(name: str) -> Graph:
    """Return type and name of each resource to its inputs by path; folders of this machine are written `.`.

    Raises:
        UsageError: there is no such environment.
        ProgramFailed: it cannot be built.
    """
    from mlstrata.policies.core.values import SECRET, UNKNOWN, leaves

    deployment = Deployment.open(name)
    # The socket first: where a folder's path is too long for one it lies elsewhere, by a name made of that path.
    folders = sorted({str(deployment.workspace.root), str(programs_folder().parent)}, key=len, reverse=True)
    own = {str(deployment.workspace.socket(name)): "./supervisor.sock", **dict.fromkeys(folders, ".")}

    def shown(value: Any) -> Any:
        if value is SECRET or value is UNKNOWN:
            return repr(value)
        if isinstance(value, str):
            for path, short in own.items():
                value = value.replace(path, short)
        return value

    return {
        f"{one.type.rpartition(':')[2]} {one.name}": {path: shown(value) for path, value in leaves(one.inputs) if path}
        for one in records(planned(deployment).graph)
    }


def as_json(graph: Mapping[str, Any]) -> str:
    """Return a graph as one JSON document."""
    return json.dumps(graph, sort_keys=True, default=str)


if __name__ == "__main__":
    sys.stdout.write(as_json(graph_of(sys.argv[1])) + "\n")
