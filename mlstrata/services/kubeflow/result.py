"""What a run on Kubeflow made, as the registry has it: Kubeflow's own API gives no values of a step's outputs."""

from __future__ import annotations

from typing import Any

from mlstrata.clients.mlflow import Registry, RegistryError
from mlstrata.services.kubeflow.contract import KubeflowTraining
from mlstrata.services.runner.known import known
from mlstrata_steps.tasks.metrics import SHOWN


def registered(asked: KubeflowTraining, run: str) -> dict[str, Any]:
    """Return the version that a run registered, with what it measured; or the one that was there already.

    Raises:
        RegistryError: MLflow does not answer, or has no such version.
    """
    system, registry = asked.request.system, Registry(asked.registry)
    try:
        found = registry.versions(system, pipeline_run=run)
        metrics = registry.view(found[0]).metrics if found else {}
        version = None if found else known(asked.request, registry)[1]
    except RegistryError as error:
        raise RegistryError(f"run {run} ended well, but what it made is not known: {error}") from error
    if not found:
        if version is None:
            raise RegistryError(f"run {run} ended well, but {asked.registry} has no version of {system} by it")
        return {"version": version, "created": False}
    shown = {
        name: {"value": metrics[name], "low": metrics[f"{name}_low"], "high": metrics[f"{name}_high"]}
        for name in SHOWN
        if {name, f"{name}_low", f"{name}_high"} <= set(metrics)
    }
    return {"version": found[0]["version"], "created": True, "run": run, "evaluation": {"metrics": shown}}
