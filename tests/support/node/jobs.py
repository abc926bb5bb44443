"""Jobs that a person starts from a cluster's CronJobs."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.support.cluster import Cluster, Json


@dataclass(frozen=True)
class Job:
    """A job on a node.

    Attributes:
        node: Where.
        space: Its namespace.
        name: Its name.
    """

    node: Cluster
    space: str
    name: str

    @classmethod
    def start(cls, node: Cluster, cronjob: str, space: str, name: str) -> Job:
        """Start one, as docs/kubernetes.md says."""
        made = node.kubectl("create", "job", f"--from=cronjob/{cronjob}", name, "-n", space)
        assert made.code == 0, made.err
        return cls(node, space, name)

    def said(self) -> list[Json]:
        """Return the documents that its pod has printed so far."""
        text = self.node.kubectl("logs", f"job/{self.name}", "-n", self.space).out
        return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]

    def reaches(self, step: str) -> None:
        """Wait until a step of the pipeline has begun."""
        self.node.eventually(step, lambda: any(one.get("step") == step for one in self.said()))

    def end(self) -> None:
        """Wait for its end; it must have succeeded, with its first pod."""

        def ended() -> bool:
            conditions = self.node.get("job", self.name, self.space).get("status", {}).get("conditions", [])
            return any(one["type"] in {"Complete", "Failed"} and one["status"] == "True" for one in conditions)

        self.node.eventually(self.name, ended)
        status = self.node.get("job", self.name, self.space)["status"]
        told = self.node.kubectl("logs", f"job/{self.name}", "-n", self.space, "--all-containers", "--tail=40").out
        assert (status.get("succeeded"), status.get("failed", 0)) == (1, 0), told + self.node.troubles()

    def result(self, key: str) -> Json:
        """Wait for its end, and return the last document with a key."""
        self.end()
        found: Json = [one for one in self.said() if key in one][-1]
        return found
