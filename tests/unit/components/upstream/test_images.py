"""`mlstrata images`: the list, copies in a mirror, digests from a registry; private ones by the user's login."""

import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlstrata.cli.main import main
from mlstrata.components.upstream.bill import piece
from mlstrata.components.upstream.lock import LockError, read, write
from mlstrata.components.upstream.mirror import reference
from mlstrata.components.upstream.runtime import RUNTIME, SERVING
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError
from mlstrata.operations.images.digests import Wanted, resolve
from mlstrata.operations.images.mirroring import TOOLS, copy_image
from mlstrata.operations.training.kubernetes import image_of_steps
from tests.support.images import Registry, digest_of, log_in, serving

KUBERNETES = "target: {kind: kubernetes, context: c}\nstage: foundation\n"
SKOPEO = pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo, which reads and copies images")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home folder without any login."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving() as server:
        yield server


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    (tmp_path / "environments").mkdir()
    return tmp_path


def declare(workspace: Path, text: str = KUBERNETES) -> None:
    (workspace / "environments/site.yaml").write_text(f"name: site\n{text}", encoding="utf-8")


def asked(registry: Registry, name: str, tag: str) -> Wanted:
    return Wanted(f"k/{name}:{tag}", f"{registry.host}/{name}:{tag}")


@SKOPEO
def test_a_tag_becomes_the_digest_of_its_index(registry: Registry):
    digest = registry.hold("a/b", "1")
    seen: list[str] = []
    found = resolve([asked(registry, "a/b", "1")], seen.append)
    assert (found.digests, found.failures) == ({"k/a/b:1": digest}, {})
    assert seen == ["k/a/b:1"]


@SKOPEO
def test_a_private_registry_is_asked_with_the_login_of_docker(home: Path):
    with serving(("reader", "p4ss:word")) as private:
        digest, wanted = private.hold("a/b", "1"), [asked(private, "a/b", "1")]
        refused = resolve(wanted)
        assert refused.digests == {}
        assert private.host in refused.failures["k/a/b:1"]
        log_in(home, private)
        assert resolve(wanted).digests == {"k/a/b:1": digest}
        private.login = ("reader", "another")
        assert resolve(wanted).digests == {}


@SKOPEO
def test_what_is_missing_or_out_of_reach_says_so(registry: Registry):
    gone = Registry()
    gone.server_close()
    found = resolve([asked(registry, "a", "1"), asked(gone, "a", "2")])
    assert "manifest unknown" in found.failures["k/a:1"]
    assert "connection refused" in found.failures["k/a:2"]
    assert found.failures["k/a:2"].startswith(f"{gone.host}: ")


def test_without_skopeo_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="skopeo is not on PATH; install it"):
        resolve([Wanted("a:1", "r.example/a:1")])


@SKOPEO
def test_an_image_is_copied_whole_to_a_private_mirror_at_its_digest(registry: Registry, home: Path):
    digest = registry.hold("team/model", "2")
    # A name without a port, as upstream's are; it is this machine's registry.
    where = f'[[registry]]\nprefix = "up.example"\nlocation = "{registry.host}"\ninsecure = true\n'
    (home / ".config/containers").mkdir(parents=True)
    (home / ".config/containers/registries.conf").write_text(where, encoding="utf-8")
    with serving(("writer", "secret-of-the-mirror")) as mirror:
        with pytest.raises(Failed, match="skopeo copy"):
            copy_image("up.example/team/model:2", f"{mirror.host}/m")
        assert mirror.manifests == {}
        log_in(home, mirror)
        for image in ("up.example/team/model:2", f"up.example/team/model:2@{digest}"):
            copy_image(image, f"{mirror.host}/m")
            copied = mirror.manifests["m/up.example/team/model", "2"][1]
            assert digest_of(copied) == digest
        architectures = [one["digest"] for one in json.loads(copied)["manifests"]]
        assert all(("m/up.example/team/model", one) in mirror.manifests for one in architectures)
        assert len(architectures) == 2


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


@SKOPEO
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


@SKOPEO
def test_one_missing_image_leaves_the_lock_alone(
    registry: Registry, workspace: Path, capsys: pytest.CaptureFixture[str]
):
    held(registry, workspace, capsys)
    tagged = next(key for key in registry.manifests if not key[1].startswith("sha256:"))
    registry.manifests.pop(tagged)
    assert main(["images", "site", "--resolve"]) == 2
    told = capsys.readouterr()
    assert "could not be resolved" in told.err
    assert "manifest unknown" in told.err
    assert not (workspace / "environments/images.lock.json").exists()


@SKOPEO
def test_offline_is_one_message(workspace: Path, capsys: pytest.CaptureFixture[str]):
    gone = Registry()
    gone.server_close()
    mirror = f"mirror: {{registry: '{gone.host}/m', files: 'https://files.example'}}\n"
    declare(workspace, KUBERNETES + mirror)
    assert main(["images", "site", "--resolve"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("connection refused") == 1
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
    assert [one["upstream"] for one in kept["mlstrata"]["images"]] == [str(RUNTIME), str(SERVING)]
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
    assert main(["images", "site", "--json", "--resolve"]) == 2
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


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put stand-ins of the tools on PATH; return the file of their calls."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).write_text(STAND_IN, encoding="utf-8")
        (tools / tool).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


@pytest.mark.parametrize("mirror", [True, False])
def test_everything_is_copied(
    workspace: Path, tmp_path: Path, calls: Path, capsys: pytest.CaptureFixture[str], mirror: bool
):
    place = "mirror: {registry: r.example/m, files: 'https://files.example'}\n" if mirror else ""
    declare(workspace, KUBERNETES + place)
    document = listed(capsys)
    registry = [] if mirror else ["--registry", "r.example/m"]
    assert main(["images", "site", "--copy-to", str(tmp_path / "files"), *registry]) == 0
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


def test_without_a_mirror_the_registry_is_asked_for(
    workspace: Path, tmp_path: Path, calls: Path, capsys: pytest.CaptureFixture[str]
):
    declare(workspace)
    assert main(["images", "site", "--copy-to", str(tmp_path / "files")]) == 2
    assert "no mirror is declared" in capsys.readouterr().err
    assert not calls.exists()


def test_of_a_digest_the_very_image_is_copied(
    workspace: Path, tmp_path: Path, calls: Path, capsys: pytest.CaptureFixture[str]
):
    declare(workspace)
    digest = "sha256:" + "c" * 64
    name = "quay.io/jetstack/cert-manager-webhook"
    write(workspace / "environments/images.lock.json", {f"{name}:v1.21.1": digest})
    assert main(["images", "site", "--copy-to", str(tmp_path / "files"), "--registry", "r.example/m"]) == 0
    copied = f"docker://{name}@{digest} docker://r.example/m/{name}:v1.21.1\n"
    assert copied in calls.read_text(encoding="utf-8")


def test_steps_on_a_cluster_run_from_the_listed_image_of_the_mirror_at_its_digest(
    workspace: Path, capsys: pytest.CaptureFixture[str]
):
    told = []
    for mirror in ("", "mirror: {registry: 'copies.example/all', files: 'https://files.example'}\n"):
        for digests in ({}, {reference(RUNTIME): "sha256:" + "d" * 64}):
            write(workspace / "environments/images.lock.json", digests)
            declare(workspace, KUBERNETES + mirror)
            kept = {one["name"]: one for one in listed(capsys)["pieces"]}
            image, _ = [one["image"] for one in kept["mlstrata"]["images"]]
            assert image_of_steps(Deployment.open("site")) == image
            told.append(image)
    pinned = f"{RUNTIME}@sha256:" + "d" * 64
    assert told == [str(RUNTIME), pinned, f"copies.example/all/{RUNTIME}", f"copies.example/all/{pinned}"]
