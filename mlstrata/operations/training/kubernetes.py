"""A training on a cluster: a run of Kubeflow Pipelines, or a Job where there are none, watched from here."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata import worker
from mlstrata.environments import Capability, SpecErrors, SystemSpec
from mlstrata.operations.cluster_access import PIPELINES_URL, authenticate_registry, forward_registry, port_forward
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.operations.training import Training, cluster_job, follow

if TYPE_CHECKING:
    from mlstrata.clients.kubernetes import Cluster
    from mlstrata.operations.reporting import Reporter
    from mlstrata.operations.targets.kubernetes import Kubernetes

_SERVICE, _PORT = "service/ml-pipeline", 8888


def train(
    cluster: Kubernetes, system: SystemSpec, *, if_needed: bool, trials: int | None, reporter: Reporter
) -> Training:
    """Train a system on its cluster.

    Raises:
        Failed: the run failed, or a gate refused.
        SpecErrors: the file asks for what no cluster does.
        UsageError: the system cannot be trained, its data is not there, or the cluster cannot be reached.
        ClusterError: the cluster cannot be asked.
    """
    began = time.monotonic()
    with _run(cluster, system, trials=trials, if_needed=if_needed) as lines:
        result = follow(system.name, _naming(lines, reporter), reporter)
    ran = bool(result.get("created", True)) or not if_needed
    return Training(system.name, str(result["version"]), ran=ran, seconds=time.monotonic() - began, result=result)


def _naming(lines: Iterator[dict[str, Any]], reporter: Reporter) -> Iterator[dict[str, Any]]:
    """Pass on what a run says; name it where the watching ends before it does, as it goes on without."""
    run = ""
    try:
        for line in lines:
            run = line.get("run", run)
            yield line
    except (KeyboardInterrupt, GeneratorExit):
        if run:
            reporter.note(f"run {run} goes on in the cluster: train once more to follow it")
        raise


@contextmanager
def _run(
    cluster: Kubernetes, system: SystemSpec, *, trials: int | None, if_needed: bool
) -> Iterator[Iterator[dict[str, Any]]]:
    from mlstrata.components.naming.forms import namespace_of
    from mlstrata.components.upstream.bill import piece

    deployment, target, asks = cluster.deployment, cluster.target, cluster.cluster
    _refuse_untrainable(deployment, system)
    settings = _settings(deployment, target.namespace, system, trials) | {"if_needed": if_needed}
    authenticate_registry(asks, target.namespace)
    space = namespace_of(target.namespace, system.team, system.name)
    if Capability.PIPELINES not in deployment.spec.capabilities:
        with forward_registry(asks, target.namespace) as registry:
            _place(deployment, system, settings["request"], registry)
            known = _existing(settings["request"], registry) if if_needed else None
        if known:
            yield iter([{"state": "succeeded", "result": {"version": known, "created": False}, "error": None}])
            return
        with closing(cluster_job.lines(asks, space, system.name)) as lines:
            yield lines
        return
    if system.model.schedule:
        _stop_clock(asks, space, system.name)
    with (
        forward_registry(asks, target.namespace) as registry,
        port_forward(asks, piece("kubeflow-pipelines").namespace, _SERVICE, _PORT, PIPELINES_URL) as pipelines,
    ):
        _place(deployment, system, settings["request"], registry)
        # Compiled here, in a folder of this machine; the run itself knows none.
        settings["request"]["workdir"] = str(deployment.home / "data/kubeflow" / system.name)
        # Closing ends the watching alone; the run in the cluster goes on.
        with closing(
            worker.lines("mlstrata.services.kubeflow", settings | {"registry": registry, "url": pipelines})
        ) as lines:
            yield lines


def _place(deployment: Deployment, system: SystemSpec, request: dict[str, Any], registry: str) -> None:
    """Put the files of the workspace that the system is trained on, or scores, where its jobs read them.

    Raises:
        UsageError: there is no such file, or the registry does not take it.
    """
    from mlstrata.clients.mlflow import Registry, RegistryError
    from mlstrata.clients.mlflow.data import WORKSPACE, put
    from mlstrata_steps import StepError
    from mlstrata_steps.source import source_file

    for dataset in {one.name: one for one in (system.training_data, system.scored_data) if one}.values():
        if dataset.location is None or dataset.location.scheme != "file":
            continue
        named = deployment.workspace.root / str(dataset.source)
        try:
            files = dict.fromkeys((named, source_file(str(named))))  # a pointer and the file that it names
            source = put(Registry(registry), system.name, dataset.name, tuple(files))
        except (StepError, RegistryError, OSError) as error:
            raise UsageError(f"{deployment.file}: {system.name}: {error}") from None
        if request["source"] == f"{WORKSPACE}{dataset.name}":
            request["source"] = source


def _existing(request: Mapping[str, Any], registry: str) -> str | None:
    """Return the version that these data, code and settings made already; None where there is none."""
    from mlstrata.clients.mlflow import Registry, RegistryError
    from mlstrata.services.runner.contract import TrainingRequest
    from mlstrata.services.runner.known import known
    from mlstrata_steps import StepError

    asked = TrainingRequest.model_validate(request)
    try:
        return known(asked, Registry(registry))[1]
    except (StepError, RegistryError) as error:
        raise UsageError(f"{asked.system}: {error}") from None


def _refuse_untrainable(deployment: Deployment, system: SystemSpec) -> None:
    """Refuse what `validate` refuses of a system, or says of it: nothing in the cluster trains it.

    Raises:
        SpecErrors: the file asks for what no cluster does.
        UsageError: the system's model is not trained here.
    """
    from mlstrata.stacks.preconditions import refused

    here = f"systems[{deployment.spec.systems.index(system)}]."
    if found := [one for one in refused(deployment.loaded, deployment.workspace) if one.path.startswith(here)]:
        raise SpecErrors(found)
    if reason := system.untrainable():
        raise UsageError(f"{deployment.file}: {system.name}: {reason}")


def _stop_clock(asks: Cluster, namespace: str, system: str) -> None:
    """Have the training job's own schedule stand still: a recurring run takes its place, and two would train twice.

    Raises:
        ClusterError: the cluster refuses or does not answer.
    """
    from mlstrata.clients.kubernetes import Kind

    name = f"training-{system}"
    cron_job = Kind("batch", "v1", "CronJob", "cronjobs")
    found = asks.get(cron_job, name, namespace)
    if found["spec"].get("suspend"):
        return
    metadata = {"name": name, "namespace": namespace, "resourceVersion": found["metadata"]["resourceVersion"]}
    # Pulumi sets the field once and leaves it alone from then on.
    asks.apply(cron_job, {"metadata": metadata, "spec": {"suspend": True}}, take=True)


def _settings(deployment: Deployment, namespace: str, system: SystemSpec, trials: int | None) -> dict[str, Any]:
    from mlstrata.components.registry.job import FOLDER
    from mlstrata.components.registry.kubernetes import USES_REGISTRY
    from mlstrata.components.registry.names import ACCESS
    from mlstrata.services.runner.requests import NotTrainable, training_request

    inside = f"http://mlflow.{namespace}.svc:5000"
    there = Path(FOLDER)
    try:
        made = training_request(deployment.name, system, root=there, home=there, tracking_uri=inside, elsewhere=True)
    except NotTrainable as error:
        raise UsageError(f"{deployment.file}: {error}") from None
    request: dict[str, Any] = made.model_dump(mode="json")
    if trials is not None:
        request["settings"]["search"] = {**request["settings"]["search"], "trials": trials}
    return {
        "request": request,
        "image": system.model.image or image_of_steps(deployment),
        "pull_secret": deployment.spec.images.pull_secret or "",
        "secret": ACCESS,
        "labels": {**USES_REGISTRY, "mlstrata.io/environment": deployment.name, "mlstrata.io/system": system.name},
        "schedule": system.model.schedule,
        "data": _reading(deployment, system, inside),
    }


def _reading(deployment: Deployment, system: SystemSpec, registry: str) -> dict[str, Any]:
    """Say how a step reaches what the system's data lies in: a bucket, or the registry and the database of a query."""
    from mlstrata.components.storage.data import store_of
    from mlstrata.components.storage.database import Database
    from mlstrata.stacks.cluster_inputs import of

    store = store_of(system.training_data, of(deployment.spec, deployment.workspace).store)
    if store is None:
        return {"variables": {"MLFLOW_TRACKING_URI": registry}}
    from_registry = {"MLFLOW_TRACKING_URI": registry} if isinstance(store, Database) else {}
    return {"variables": {**from_registry, **store.variables()}, "secrets": store.credentials()}


def image_of_steps(deployment: Deployment) -> str:
    """Return the image of the steps, as the environment pins it."""
    from mlstrata.components.upstream.lock import LockError
    from mlstrata.components.upstream.selection import runtime_image

    try:
        return runtime_image(deployment.spec, deployment.workspace)
    except LockError as error:
        raise UsageError(str(error)) from None
