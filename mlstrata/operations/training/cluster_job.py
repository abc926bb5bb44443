"""A training on a cluster without pipelines: a Job of the system's CronJob, whose log is followed from here."""

from __future__ import annotations

import time
import uuid
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from mlstrata import worker
from mlstrata.clients.kubernetes import Forbidden, Kind, Missing
from mlstrata.operations.errors import Failed, UsageError

if TYPE_CHECKING:
    from mlstrata.clients.kubernetes import Cluster

_CRON_JOB, _JOB = Kind("batch", "v1", "CronJob", "cronjobs"), Kind("batch", "v1", "Job", "jobs")
_PODS = Kind("", "v1", "Pod", "pods")
_POLL_S = 1.0
_HELD = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError")
"""Reasons for which a container waits until somebody mends something."""


def lines(cluster: Cluster, namespace: str, system: str) -> Generator[dict[str, Any]]:
    """Start a Job of the system's CronJob, or find the one under way; yield each line of `mlstrata.worker`'s protocol.

    Raises:
        Failed: its pod cannot run, or ended without a last line.
        UsageError: whoever asks may not start it, or the environment is not deployed.
        ClusterError: the cluster does not answer.
    """
    name = _started(cluster, namespace, f"training-{system}")
    yield {
        "note": f"job {name} in {namespace}: it goes on where this command ends; its log: "
        f"kubectl logs --follow job/{name} --namespace {namespace} --context {cluster.context}"
    }
    seen: set[str] = set()
    while True:
        pod = _running(cluster, namespace, name, seen)
        seen.add(pod)
        for line in filter(None, map(worker.parsed, cluster.log(pod, namespace))):
            yield line
            if worker.is_last(line):
                return


def _started(cluster: Cluster, namespace: str, cron_job: str) -> str:
    """Make the Job, as `kubectl create job --from=cronjob/NAME` does; return its name, or that of one at work."""
    try:
        for job in cluster.list(_JOB, namespace):
            if job["metadata"]["name"].startswith(f"{cron_job}-") and job.get("status", {}).get("active"):
                return str(job["metadata"]["name"])
        template = cluster.get(_CRON_JOB, cron_job, namespace)["spec"]["jobTemplate"]
        name = f"{cron_job}-{uuid.uuid4().hex[:8]}"
        said = template.get("metadata", {})
        metadata = {
            "name": name,
            "namespace": namespace,
            "labels": said.get("labels") or {},
            "annotations": {**(said.get("annotations") or {}), "cronjob.kubernetes.io/instantiate": "manual"},
        }
        cluster.apply(_JOB, {"metadata": metadata, "spec": template["spec"]})
    except Forbidden as error:
        raise UsageError(
            f"{error}; who may start jobs in {namespace} trains: kubectl create job --from=cronjob/{cron_job} NAME "
            f"--namespace {namespace} --context {cluster.context}"
        ) from None
    except Missing as error:
        raise UsageError(str(error)) from None
    return name


def _running(cluster: Cluster, namespace: str, job: str, seen: set[str]) -> str:
    """Wait for a pod of a Job that has begun, or ended; return its name.

    Raises:
        Failed: no pod will come any more, or one waits for what nobody brings.
    """
    while True:
        for pod in cluster.list(_PODS, namespace, labels={"job-name": job}):
            name, status = pod["metadata"]["name"], pod.get("status", {})
            if name in seen:
                continue
            if status.get("phase") not in {None, "Pending"}:
                return str(name)
            if held := _held(status):
                raise Failed(f"job {job} in {namespace}: its pod cannot start: {held}")
        for one in cluster.get(_JOB, job, namespace).get("status", {}).get("conditions", ()):
            if one["status"] == "True" and one["type"] in {"Failed", "Complete", "FailureTarget"}:
                reason = one.get("message") or "no reason was given"
                raise Failed(f"job {job} in {namespace} ended without a result: {reason}; its pod's log says why")
        time.sleep(_POLL_S)


def _held(status: Mapping[str, Any]) -> str:
    for container in status.get("containerStatuses", ()):
        waiting = container.get("state", {}).get("waiting", {})
        if waiting.get("reason") in _HELD:
            return f"{waiting['reason']}: {waiting.get('message', '')}".strip(" :")
    return ""
