"""Stands in for Seldon Core's operator, of which there is no Go module: a Deployment and a Service for each predictor.

What it makes was noted from Seldon 1.17.1: names, labels, the pause before a container ends, ten per cent at a time.
"""

from __future__ import annotations

import copy
import json

from tests.support.cluster import Json
from tests.support.node.node import Node

_PAUSE = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "/bin/sleep 10"]}}}
_GRACE_S = 20
_STRATEGY = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}}


def made_of(found: Json) -> list[Json]:
    """Return what the operator makes of a SeldonDeployment."""
    name, space = found["metadata"]["name"], found["metadata"]["namespace"]
    owner = {"apiVersion": found["apiVersion"], "kind": found["kind"], "name": name, "uid": found["metadata"]["uid"]}
    owned = {"namespace": space, "ownerReferences": [{**owner, "controller": True}]}
    annotations = found["spec"].get("annotations", {})
    made: list[Json] = []
    for predictor in found["spec"]["predictors"]:
        for number, component in enumerate(predictor["componentSpecs"]):
            spec = copy.deepcopy(component["spec"])
            units = [one["name"] for one in spec["containers"]]
            deployment = f"{name}-{predictor['name']}-{number}-{'-'.join(units)}"
            chosen = {"seldon-deployment-id": name, "app": deployment}
            labels = {**chosen, "version": predictor["name"], **predictor.get("labels", {})}
            for container in spec["containers"]:
                service = f"{name}-{predictor['name']}-{container['name']}"
                labels[f"seldon-app-{container['name']}"] = service
                container.setdefault("lifecycle", _PAUSE)
                ports = [{"name": "http", "port": 9000}, {"name": "grpc", "port": 9500}]
                selects = {"selector": {f"seldon-app-{container['name']}": service}, "ports": ports}
                named = {"metadata": {"name": service, **owned}, "spec": selects}
                made.append({"apiVersion": "v1", "kind": "Service", **named})
            spec.setdefault("terminationGracePeriodSeconds", _GRACE_S)
            template = {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec}
            whole = {
                "replicas": predictor.get("replicas", 1),
                "strategy": _STRATEGY,
                "selector": {"matchLabels": chosen},
                "template": template,
            }
            named = {"metadata": {"name": deployment, "labels": labels, **owned}, "spec": whole}
            made.append({"apiVersion": "apps/v1", "kind": "Deployment", **named})
    return made


class Operator:
    """It follows every SeldonDeployment of a node."""

    def __init__(self, node: Node) -> None:
        self.node, self._done = node, dict[str, str]()

    def turn(self) -> None:
        """Make what those want that are new or changed."""
        for one in self.node.listed("/apis/machinelearning.seldon.io/v1/seldondeployments"):
            spec = json.dumps(one["spec"], sort_keys=True)
            if self._done.get(one["metadata"]["uid"]) != spec and self.node.apply(made_of(one)).code == 0:
                self._done[one["metadata"]["uid"]] = spec
