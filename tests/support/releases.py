"""What a release on a cluster needs around it in a test: Seldon's operator, a registry, a way that can be cut."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import yaml

from mlstrata.clients.mlflow import Candidate, Check
from mlstrata.services.serving.cluster import VERSION, deployment_of
from tests.support.cluster import Cluster, Json
from tests.support.patience import PATIENCE

BROKEN = "9"
"""A version whose pods never answer."""


class MemoryRegistry:
    """Remembers versions 1, 2 and one that never answers, and who is champion."""

    alias: ClassVar[dict[str, str | None]] = {}
    down: ClassVar[bool] = False

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def candidate(self, system: str, version: str | None) -> Candidate:
        return Candidate(version or "2", "", {"auc": 0.8})

    def input_types(self, candidate: Candidate) -> dict[str, str]:
        return {"pirat": "double"}

    def checks(self, run: str | None) -> tuple[Check, ...]:
        return (Check("auc", passed=True, detail="0.8"),)

    def champion(self, system: str) -> str | None:
        return self.alias.get(system)

    def set_champion(self, system: str, version: str | None) -> None:
        self.alias[system] = version

    def set_alias(self, system: str, alias: str, version: str | None) -> None:
        self.alias[f"{system}@{alias}"] = version

    def tag(self, system: str, version: str, key: str, value: str) -> None:
        assert not self.down


class Operator:
    """Makes a Deployment of a SeldonDeployment, as Seldon's operator does: its annotations go to the pods.

    The operator itself is in no registry; what it makes is for the API server's own controllers.
    """

    def __init__(self, cluster: Cluster, system: str, namespace: str) -> None:
        self.cluster, self.system, self.namespace = cluster, system, namespace
        self.made = ""
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Operator:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        while not self._ends.wait(0.3):
            with suppress(AssertionError, ValueError):
                made = self._deployment(self.cluster.get("seldondeployments", self.system, self.namespace))
                if (text := json.dumps(made, sort_keys=True)) != self.made:
                    self.cluster.must([made])
                    self.made = text

    def _deployment(self, found: Json) -> Json:
        predictor = found["spec"]["predictors"][0]
        annotations = {**found["spec"].get("annotations", {}), **predictor.get("annotations", {})}
        labels = {"seldon-deployment-id": self.system, **predictor["labels"]}
        pod = dict(predictor["componentSpecs"][0]["spec"])
        if annotations.get(VERSION) == BROKEN:
            # No node has it: the new pods wait for one, and the old ones answer.
            pod["nodeSelector"] = {"nowhere": "true"}
        metadata = {"name": deployment_of(self.system), "namespace": self.namespace, "labels": labels}
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}}
        template = {"metadata": {"labels": labels, "annotations": annotations}, "spec": pod}
        spec = {
            "replicas": predictor.get("replicas", 1),
            "selector": {"matchLabels": {"seldon-deployment-id": self.system}},
            "strategy": rolling,
            "template": template,
        }
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


class Way:
    """A way to the API server that a test can cut and mend."""

    def __init__(self, port: int) -> None:
        self._to, self.open = port, True
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []

    def cut(self) -> None:
        """Break every connection, and let none in."""
        self.open = False
        for pair in self._pairs:
            for one in pair:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let connections in again."""
        self.open = True

    def close(self) -> None:
        """End it."""
        self.cut()
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                if not self.open:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._to))
                self._pairs.append((near, far))
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_pour, args=(source, sink), daemon=True).start()


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def kubeconfig(cluster: Cluster, way: Way, account: str, path: Path, context: str = "ml-dev") -> Path:
    """Write a kubeconfig with which an account `namespace:name` asks over a way."""
    namespace, name = account.split(":")
    token = cluster.kubectl("create", "token", name, "-n", namespace)
    assert token.code == 0, token.err
    server = {"server": f"https://127.0.0.1:{way.port}", "insecure-skip-tls-verify": True}
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": server}],
        "users": [{"name": name, "user": {"token": token.out.strip()}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": name}}],
    }
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    path.chmod(0o600)
    return path
