"""`mlstrata images`: the list, the mirror script run with stand-in tools, digests from a registry."""

import hashlib
import json
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mlstrata.cli.main import main
from mlstrata.components.upstream.bill import piece
from mlstrata.components.upstream.lock import LockError, read, write
from mlstrata.components.upstream.mirror import reference
from mlstrata.components.workload.images import RUNTIME
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.images.digests import Wanted, resolve
from mlstrata.operations.training.kubernetes import image_of_steps

KUBERNETES = "target: {kind: kubernetes, context: c}\nstage: foundation\n"
Answer = tuple[int, dict[str, Any], str, str]


class Registry(ThreadingHTTPServer):
    """The part of the OCI distribution API that reads a manifest, with the token that a public registry asks for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.manifests: dict[str, bytes] = {}
        self.says: dict[str, str] = {}
        self.guarded = False
        self.asked: list[str] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def hold(self, name: str, tag: str) -> str:
        """Keep a manifest; return its digest."""
        text = json.dumps({"schemaVersion": 2, "name": name, "tag": tag}).encode()
        self.manifests[f"/v2/{name}/manifests/{tag}"] = text
        return f"sha256:{hashlib.sha256(text).hexdigest()}"


class Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path.startswith("/token?"):
            return self.answer(200, json.dumps({"token": "t"}).encode())
        if self.server.guarded and self.headers.get("Authorization") != "Bearer t":
            realm = f'Bearer realm="http://{self.server.host}/token",service="s",scope="repository:x:pull"'
            return self.answer(401, b"{}", {"WWW-Authenticate": realm})
        if self.path not in self.server.manifests:
            return self.answer(404, b"{}")
        assert "image.index" in self.headers["Accept"]
        said = self.server.says.get(self.path)
        return self.answer(200, self.server.manifests[self.path], {"Docker-Content-Digest": said} if said else {})

    def answer(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def registry() -> Iterator[Registry]:
    server = Registry()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    (tmp_path / "environments").mkdir()
    return tmp_path


def declare(workspace: Path, text: str = KUBERNETES) -> None:
    (workspace / "environments/site.yaml").write_text(f"name: site\n{text}", encoding="utf-8")


def asked(registry: Registry, name: str, tag: str) -> Wanted:
    return Wanted(f"k/{name}:{tag}", f"{registry.host}/{name}:{tag}")


@pytest.mark.parametrize("guarded", [False, True])
def test_a_tag_becomes_the_digest_of_its_manifest(registry: Registry, guarded: bool):
    registry.guarded = guarded
    digest = registry.hold("a/b", "1")
    seen: list[str] = []
    found = resolve([asked(registry, "a/b", "1")], seen.append)
    assert (found.digests, found.failures) == ({"k/a/b:1": digest}, {})
    assert seen == ["k/a/b:1"]
    assert any(path.startswith("/token?") for path in registry.asked) is guarded


def test_a_registry_that_says_another_digest_is_not_believed(registry: Registry):
    registry.hold("a", "1")
    registry.says["/v2/a/manifests/1"] = "sha256:" + "0" * 64
    found = resolve([asked(registry, "a", "1")])
    assert found.digests == {}
    assert "of a manifest whose digest is sha256:" in found.failures["k/a:1"]


def test_what_is_missing_or_out_of_reach_says_so(registry: Registry):
    gone = Registry()
    gone.server_close()
    found = resolve([asked(registry, "a", "1"), asked(gone, "a", "2")])
    assert found.failures == {
        "k/a:1": f"http://{registry.host} has no a:1",
        "k/a:2": f"{gone.host} cannot be reached (ConnectError)",
    }


def held(registry: Registry, workspace: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Declare a site whose mirror is the registry, and let it hold every image."""
    mirror = f"mirror: {{registry: '{registry.host}/m', files: 'https://files.example'}}\n"
    declare(workspace, KUBERNETES + mirror)
    document = listed(capsys)
    for one in document["pieces"]:
        for image in one["images"]:
            name, _, tag = image["image"].removeprefix(f"{registry.host}/").partition("@")[0].rpartition(":")
            registry.hold(name, tag)
    return document


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["images", "site", "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_resolving_writes_the_lock_that_the_next_list_reads(
    registry: Registry, workspace: Path, capsys: pytest.CaptureFixture[str]
):
    before = held(registry, workspace, capsys)
    assert main(["images", "site", "--resolve"]) == 0
    lock = workspace / "environments/images.lock.json"
    first = lock.read_bytes()
    after = listed(capsys) if capsys.readouterr() else {}
    assert len(after["pieces"]) == len(before["pieces"])
    for one in after["pieces"]:
        for image in one["images"]:
            assert image["image"].startswith(f"{registry.host}/m/")
            assert image["image"].endswith(f"@{image['digest']}")
    assert main(["images", "site", "--resolve"]) == 0
    assert lock.read_bytes() == first


def test_one_missing_image_leaves_the_lock_alone(
    registry: Registry, workspace: Path, capsys: pytest.CaptureFixture[str]
):
    held(registry, workspace, capsys)
    registry.manifests.pop(next(iter(registry.manifests)))
    assert main(["images", "site", "--resolve"]) == 2
    told = capsys.readouterr()
    assert "could not be resolved" in told.err
    assert "has no" in told.err
    assert not (workspace / "environments/images.lock.json").exists()


def test_offline_is_one_message(workspace: Path, capsys: pytest.CaptureFixture[str]):
    gone = Registry()
    gone.server_close()
    mirror = f"mirror: {{registry: '{gone.host}/m', files: 'https://files.example'}}\n"
    declare(workspace, KUBERNETES + mirror)
    assert main(["images", "site", "--resolve"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("cannot be reached (ConnectError)") == 1
    assert "run this where the registries are reachable" in told.err


def test_a_lock_that_is_none_is_refused(tmp_path: Path):
    path = tmp_path / "images.lock.json"
    for text in ("[]", "{", '{"images": {"a:1": "sha256:short"}}', '{"images": {"a:1": 1}}', '{"other": 1}'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(LockError, match="--resolve"):
            read(path)
    write(path, {"b:1": "sha256:" + "b" * 64, "a:1": "sha256:" + "a" * 64})
    assert list(read(path)) == ["a:1", "b:1"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_broken_lock_is_one_message(workspace: Path, capsys: pytest.CaptureFixture[str]):
    declare(workspace)
    (workspace / "environments/images.lock.json").write_text("[]", encoding="utf-8")
    assert main(["images", "site"]) == 2
    assert "not a lock of images" in capsys.readouterr().err


def test_the_list_names_licences_and_what_is_left_out(workspace: Path, capsys: pytest.CaptureFixture[str]):
    declare(workspace, KUBERNETES + "licences: {deny: [AGPL-3.0-only]}\n")
    document = listed(capsys)
    assert document["mirror"] is None
    assert [one["name"] for one in document["left_out"]] == ["grafana", "loki"]
    kept = {one["name"]: one for one in document["pieces"]}
    assert [one["upstream"] for one in kept["mlstrata"]["images"]] == [str(RUNTIME)]
    assert kept["cert-manager"]["licence"] == "Apache-2.0"
    assert kept["cert-manager"]["definitions"]["kind"] == "manifest"
    assert "grafana" not in kept
    assert main(["images", "site"]) == 0
    text = capsys.readouterr().out
    assert "left out: grafana is under AGPL-3.0-only" in text
    assert f"Pod Security `privileged`: {piece('kubeflow-pipelines').privileged}" in " ".join(text.split())
    assert all(str(image) in text for image in piece("cert-manager").images)


def test_a_licence_that_the_file_does_not_allow_ends_with_2(workspace: Path, capsys: pytest.CaptureFixture[str]):
    system = (
        "systems:\n  - {name: ab, purpose: To be served., risk: {tier: minimal}, "
        "model: {modality: tabular, source: 'models:/ab'}}\n"
    )
    declare(workspace, f"{KUBERNETES}upstream: [{{name: seldon-core, version: 1.18.2}}]\n{system}")
    assert main(["images", "site"]) == 2
    told = capsys.readouterr()
    assert "site: licences.deny: seldon-core 1.18.2 is under BUSL-1.1" in told.err
    assert "seldon-core 1.18.2" in told.out


def test_three_answers_are_not_one(workspace: Path, capsys: pytest.CaptureFixture[str]):
    declare(workspace)
    assert main(["images", "site", "--json", "--script"]) == 2
    assert "give one of them" in capsys.readouterr().err


def test_a_machine_of_its_own_takes_no_containers(workspace: Path, capsys: pytest.CaptureFixture[str]):
    declare(workspace, "target: {kind: local}\nstage: foundation\n")
    assert listed(capsys)["pieces"] == []
    assert main(["images", "site"]) == 0
    assert "takes no containers" in capsys.readouterr().out


STAND_IN = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >>"$CALLS"
case "$(basename "$0") $1" in
  "helm pull") while [ "$1" != --destination ]; do shift; done; touch "$2/chart-1.tgz" ;;
  "helm template") printf 'kind: Pod\\nspec:\\n  containers:\\n  - image: "busybox:1"\\n    name: a\\n' ;;
  "kubectl kustomize") printf 'spec:\\n  image: found/in-kustomization:2\\n' ;;
  curl*) printf 'kind: CustomResourceDefinition\\n' ;;
esac
"""


@pytest.mark.parametrize("mirror", [True, False])
def test_the_script_copies_everything(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], mirror: bool
):
    place = "mirror: {registry: r.example/m, files: 'https://files.example'}\n" if mirror else ""
    declare(workspace, KUBERNETES + place)
    document = listed(capsys)
    assert main(["images", "site", "--script"]) == 0
    script = tmp_path / "mirror.sh"
    script.write_text(capsys.readouterr().out, encoding="utf-8")
    tools, calls = tmp_path / "bin", tmp_path / "calls"
    tools.mkdir()
    for tool in ("curl", "helm", "kubectl", "skopeo"):
        (tools / tool).write_text(STAND_IN, encoding="utf-8")
        (tools / tool).chmod(stat.S_IRWXU)
    arguments = [str(tmp_path / "files")] if mirror else ["r.example/m", str(tmp_path / "files")]
    variables = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "CALLS": str(calls)}
    done = subprocess.run(["bash", str(script), *arguments], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = calls.read_text(encoding="utf-8")
    for one in document["pieces"]:
        for image in one["images"]:
            assert f"docker://{image['upstream']} docker://r.example/m/{image['upstream']}\n" in made
        for number, source in enumerate([*([one["definitions"]] if one["definitions"] else []), *one["sources"]]):
            if source["kind"] == "chart":
                assert f"--version {source['version']} --destination" in made
            else:
                assert (tmp_path / "files" / one["name"] / one["version"] / f"{number}.yaml").stat().st_size
    offered = {image["upstream"] for one in document["pieces"] for image in one["offered"]}
    assert "quay.io/thanos/thanos:v0.42.4" in offered
    assert not [image for image in offered if image in made], "what nothing starts is not copied"
    assert "helm push" in made
    assert "docker://docker.io/library/busybox:1 docker://r.example/m/docker.io/library/busybox:1" in made
    assert "docker://docker.io/found/in-kustomization:2 docker://r.example/m/docker.io/found/in" in made


def test_of_a_digest_the_script_copies_the_very_image(workspace: Path, capsys: pytest.CaptureFixture[str]):
    declare(workspace)
    digest = "sha256:" + "c" * 64
    write(workspace / "environments/images.lock.json", {"quay.io/jetstack/cert-manager-webhook:v1.21.1": digest})
    assert main(["images", "site", "--script"]) == 0
    assert f"\nimage quay.io/jetstack/cert-manager-webhook:v1.21.1@{digest}\n" in capsys.readouterr().out


def test_steps_on_a_cluster_run_from_the_listed_image_of_the_mirror_at_its_digest(
    workspace: Path, capsys: pytest.CaptureFixture[str]
):
    told = []
    for mirror in ("", "mirror: {registry: 'copies.example/all', files: 'https://files.example'}\n"):
        for digests in ({}, {reference(RUNTIME): "sha256:" + "d" * 64}):
            write(workspace / "environments/images.lock.json", digests)
            declare(workspace, KUBERNETES + mirror)
            kept = {one["name"]: one for one in listed(capsys)["pieces"]}
            (image,) = [one["image"] for one in kept["mlstrata"]["images"]]
            assert image_of_steps(Deployment.open("site")) == image
            told.append(image)
    pinned = f"{RUNTIME}@sha256:" + "d" * 64
    assert told == [str(RUNTIME), pinned, f"copies.example/all/{RUNTIME}", f"copies.example/all/{pinned}"]
