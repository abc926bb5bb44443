"""A training on a cluster without pipelines: which Job is made, which log is followed, and how each end is said."""

import json
from collections.abc import Iterator

import pytest

from mlstrata.clients.kubernetes import Forbidden, Missing
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.training import cluster_job

SPEC = {"backoffLimit": 1, "template": {"spec": {"containers": []}}}
CRON_JOB = {"spec": {"jobTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": SPEC}}}
LAST = {"state": "succeeded", "result": {"version": "3"}, "error": None}


class Asked:
    """A cluster as the command sees it: what it answers in turn, and what it was asked to make."""

    context = "here"

    def __init__(self, pods: list[list[dict]], logs: dict[str, list[object]], conditions: list[dict] | None = None):
        self.pods, self.logs, self.conditions = pods, logs, conditions or []
        self.jobs: list[dict] = []
        self.made: list[dict] = []

    def get(self, kind, name: str, _namespace: str) -> dict:
        if kind.kind == "CronJob":
            return CRON_JOB
        return {"metadata": {"name": name}, "status": {"conditions": self.conditions}}

    def list(self, kind, _namespace: str, labels=None) -> tuple[dict, ...]:
        if kind.kind == "Job":
            return tuple(self.jobs)
        assert labels
        return tuple(self.pods.pop(0) if len(self.pods) > 1 else self.pods[0])

    def apply(self, _kind, document: dict) -> dict:
        self.made.append(document)
        return document

    def log(self, pod: str, _namespace: str) -> Iterator[str]:
        for line in self.logs[pod]:
            yield line if isinstance(line, str) else json.dumps(line)


def pod(name: str, phase: str, **waiting: str) -> dict:
    held = [{"state": {"waiting": waiting}}] if waiting else []
    return {"metadata": {"name": name}, "status": {"phase": phase, "containerStatuses": held}}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(cluster_job, "_POLL_S", 0)


def told(cluster: Asked) -> list[dict]:
    return list(cluster_job.lines(cluster, "lending", "churn"))


def test_the_job_is_the_cron_jobs_and_its_log_is_passed_on():
    step = {"step": "ingest", "state": "running"}
    cluster = Asked([[], [pod("one", "Pending")], [pod("one", "Running")]], {"one": ["a library's line", step, LAST]})
    assert told(cluster)[1:] == [step, LAST]
    (made,) = cluster.made
    assert made["spec"] == SPEC
    assert made["metadata"]["labels"] == {"a": "b"}
    assert made["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    assert made["metadata"]["name"].startswith("training-churn-")


def test_a_pod_that_was_lost_is_followed_by_the_next():
    cluster = Asked([[pod("one", "Failed")], [pod("one", "Failed"), pod("two", "Running")]], {"one": [], "two": [LAST]})
    assert told(cluster)[-1] == LAST


def test_one_at_work_is_followed_in_place_of_a_second():
    cluster = Asked([[pod("one", "Running")]], {"one": [LAST]})
    cluster.jobs = [{"metadata": {"name": "training-churn-1a"}, "status": {"active": 1}}]
    assert told(cluster)[-1] == LAST
    assert cluster.made == []


def test_an_image_that_cannot_be_had_ends_the_command_with_the_reason():
    cluster = Asked([[pod("one", "Pending", reason="ImagePullBackOff", message="no such image")]], {})
    with pytest.raises(Failed, match="ImagePullBackOff: no such image"):
        told(cluster)


def test_a_job_that_ends_without_a_result_says_what_kubernetes_says():
    ended = [{"type": "Failed", "status": "True", "message": "Job has reached the specified backoff limit"}]
    cluster = Asked([[pod("one", "Failed")]], {"one": ["killed"]}, ended)
    with pytest.raises(Failed, match="backoff limit"):
        told(cluster)


@pytest.mark.parametrize("error", [Forbidden("you may not"), Missing("it is not there")])
def test_whoever_may_not_start_it_gets_a_sentence(error, monkeypatch):
    cluster = Asked([[]], {})

    def refuse(*_: object) -> dict:
        raise error

    monkeypatch.setattr(cluster, "get", refuse)
    with pytest.raises(UsageError, match=str(error)):
        told(cluster)
