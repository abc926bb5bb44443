"""What a run on Kubeflow made, as the registry has it: Kubeflow's own API gives no values of a step's outputs."""

from __future__ import annotations

import os
from typing import Any

from mlstrata.clients.mlflow_access import header
from mlstrata.clients.mlflow_fingerprint import RegistryUnavailable, version_with
from mlstrata.clients.mlflow_rest import RegistryError, ask
from mlstrata.services.kubeflow.contract import KubeflowTraining

_SHOWN = ("auc", "accuracy")


def existing(asked: KubeflowTraining) -> str | None:
    """Return the version that these data, code and settings made already; None where there is none.

    Raises:
        StepError: the data cannot be read from here.
        RegistryUnavailable: MLflow does not answer.
    """
    from mlstrata_steps.source import source_stamp
    from mlstrata_steps.versioning import fingerprint

    request = asked.request
    return version_with(asked.registry, request.system, fingerprint(request.recipe(), source_stamp(request.source)))


def registered(asked: KubeflowTraining, run: str) -> dict[str, Any]:
    """Return the version that a run registered, with what it measured; or the one that was there already.

    Raises:
        RegistryUnavailable: MLflow does not answer, or has no such version.
    """
    system, access = asked.request.system, header(os.environ)
    query = {"filter": f"name = '{system}' AND tags.pipeline_run = '{run}'", "max_results": "100"}
    try:
        found = ask(asked.registry, access, "model-versions/search", query).get("model_versions", [])
        if not found:
            if (version := existing(asked)) is not None:
                return {"version": version, "created": False}
            raise RegistryUnavailable(f"run {run} ended well, but {asked.registry} has no version of {system} by it")
        newest = max(found, key=lambda one: int(one["version"]))
        measured = ask(asked.registry, access, "runs/get", {"run_id": newest["run_id"]})["run"]["data"]
    except RegistryError as error:
        raise RegistryUnavailable(f"run {run} ended well, but what it made is not known: {error}") from error
    metrics = {one["key"]: one["value"] for one in measured.get("metrics", ())}
    shown = {
        name: {"value": metrics[name], "low": metrics[f"{name}_low"], "high": metrics[f"{name}_high"]}
        for name in _SHOWN
        if {name, f"{name}_low", f"{name}_high"} <= set(metrics)
    }
    return {"version": newest["version"], "created": True, "run": run, "evaluation": {"metrics": shown}}
