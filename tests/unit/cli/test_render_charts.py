"""`mlstrata render --charts`: what the mirror's charts hold, beside the objects of our own.

helm itself is not among the programs that tests can have here; a script stands in that answers as it does, and writes
down what it was asked.
"""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from mlstrata.cli.main import main

ROOT = Path(__file__).parents[3]
HELM = """#!/bin/bash
cat > "$CALLS/$2.values"
printf '%s\\n' "$@" > "$CALLS/$2.arguments"
[ "$2" != "broken" ] || exit 1
cat <<YAML
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: $2, namespace: any}
spec: {template: {spec: {containers: [{name: a, image: "quay.io/some/$2:1"}]}}}
---
apiVersion: v1
kind: Secret
metadata: {name: $2-webhook}
data: {tls.key: c2VjcmV0}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: $2-operators}
data:
  equal: =
---
YAML
"""


class Files(BaseHTTPRequestHandler):
    """The site's file server: every manifest is a list with one object, except those of `missing`."""

    missing = ""

    def do_GET(self):
        there = not (self.missing and self.missing in self.path)
        name = self.path.strip("/").replace("/", "-").replace(".", "-")
        item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        body = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [item]}).encode()
        self.send_response(200 if there else 404)
        self.end_headers()
        self.wfile.write(body if there else b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def files() -> Iterator[str]:
    handler = type("Handler", (Files,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handler = handler
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def workspace(tmp_path, monkeypatch, files) -> Path:
    (tmp_path / "environments").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "calls").mkdir()
    mirror = f"mirror: {{registry: r.example/m, files: 'http://127.0.0.1:{files.server_port}'}}\n"
    text = (ROOT / "environments/dev.yaml").read_text(encoding="utf-8") + mirror
    (tmp_path / "environments/dev.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "bin/helm").write_text(HELM, encoding="utf-8")
    (tmp_path / "bin/helm").chmod(0o755)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return tmp_path


def test_charts_are_rendered_from_the_mirror_with_its_images_and_no_secret(workspace, capsys):
    assert main(["render", "dev", "-o", str(workspace / "out"), "--charts", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    listed = {one["name"]: one for one in yaml.safe_load((workspace / "out/charts.yaml").read_text())}
    asked = (workspace / "calls/envoy-gateway.arguments").read_text().splitlines()
    assert asked[:4] == ["template", "envoy-gateway", "oci://r.example/m/charts/gateway-helm", "--version"]
    assert asked[4] == listed["envoy-gateway"]["version"]
    assert "--skip-crds" in asked, "the definitions come from a chart of their own"
    assert yaml.safe_load((workspace / "calls/envoy-gateway.values").read_text()) == listed["envoy-gateway"]["values"]
    made = yaml.safe_load(
        (workspace / "out/envoy-gateway/envoy-gateway/5-deployment-any.envoy-gateway.yaml").read_text()
    )
    image = made["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "r.example/m/quay.io/some/envoy-gateway:1"
    operators = workspace / "out/envoy-gateway/envoy-gateway/5-configmap-envoy-gateway-operators.yaml"
    assert yaml.safe_load(operators.read_text())["data"] == {"equal": "="}, "a word, as Kubernetes reads it"
    assert list((workspace / "out/kubeflow-pipelines").glob("*/*-configmap-*.yaml")), "manifests are fetched"
    assert "envoy-gateway: envoy-gateway-system/envoy-gateway-webhook" in told["left_out"]
    assert not [name for name in told["files"] if "-secret-" in name]


def test_a_mirror_that_lacks_one_says_which(workspace, files, capsys):
    files.handler.missing = "kubeflow-pipelines"
    assert main(["render", "dev", "-o", str(workspace / "out"), "--charts"]) != 0
    told = capsys.readouterr().err
    assert "kubeflow-pipelines" in told
    assert "cannot be had" in told
    assert not (workspace / "out").exists(), "nothing half is written"


def test_without_mirror_or_helm_it_is_said(workspace, monkeypatch, capsys):
    (workspace / "bin/helm").unlink()
    assert main(["render", "dev", "-o", str(workspace / "out"), "--charts"]) == 2
    assert "helm is not on PATH" in capsys.readouterr().err
    path = workspace / "environments/dev.yaml"
    path.write_text((ROOT / "environments/dev.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert main(["render", "dev", "-o", str(workspace / "out"), "--charts"]) == 2
    assert "the environment has no `mirror:`" in capsys.readouterr().err
