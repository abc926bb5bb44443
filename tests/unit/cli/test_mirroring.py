"""A copy in a mirror moves what a manifest names as a render moves objects: the site's files name the site's copies."""

import itertools
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlstrata.components.upstream.bill import PIECES
from mlstrata.components.upstream.mirror import Mirror, full_name
from mlstrata.operations.images.mirroring import TOOLS, copy

MIRROR = Mirror("copies.example:5000/all.of/it", "https://files.example")
STAND_IN = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >>"$CALLS"
case "$(basename "$0")" in kubectl|curl) cat "$BUILT" ;; esac
"""
HOSTS = ("", "docker.io/", "docker.io/library/", "quay.io/", "r.example:5000/", "localhost/", "team/")
NAMES = ("busybox", "a/b0.c_d-e")
ENDS = ("", ":v1.2-x", "@sha256:" + "a" * 64, ":1@sha256:" + "a" * 64)
IMAGES = ["".join(parts) for parts in itertools.product(HOSTS, NAMES, ENDS)]
TOLD = [
    "ghcr.io/kubeflow/kfp-launcher:2.17.0",
    "--executor-image=quay.io/argoproj/argoexec:v4.0.5",
    "--both=quay.io/argoproj/argoexec:v4.0.5,docker.io/library/mysql:8.4",
    "ghcr.io/containerd/busybox",
    '{"image": "quay.io/feastdev/feature-server@sha256:00", "tag": "docker.io/alpine:3.23"}',
    "seldonio/seldon-core-executor:1.17.1",
]
KEPT = [
    "mysql:3306",
    "alpine",
    "registry.example/ghcr.io/kubeflow/kfp-launcher:2.17.0",
    "https://quay.io/feastdev/feature-server",
    "ghcr.io/kubeflow/kfp-launcher-of-ours:1",
    "image: of a text",
    f"{MIRROR.registry}/ghcr.io/kubeflow/kfp-launcher:2.17.0",
]
QUOTED = """
---
kind: Pod
spec:
  containers:
  - image: "team/quoted:1"
  - image: 'plain:2'
  - image: x/y:1 # why
"""


def containers(images: list[str]) -> list[dict[str, Any]]:
    return [{"name": f"c{at}", "image": image} for at, image in enumerate(images)]


def built() -> str:
    """Return what kustomize prints: objects of several kinds, with each image as some project writes it."""
    pod = {
        "initContainers": containers(IMAGES[::2]),
        "containers": [
            *containers(IMAGES[1::2]),
            {
                "image": f"{MIRROR.registry}/docker.io/library/busybox:1",
                "args": [*TOLD, *KEPT],
                "env": [{"name": f"E{at}", "value": value} for at, value in enumerate((*TOLD, *KEPT))],
            },
        ],
    }
    settings = {"cacheImage": "ghcr.io/containerd/busybox", "all": "\n".join((*TOLD, *KEPT)), "none": ""}
    objects = [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"template": {"spec": pod}}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": settings},
    ]
    return yaml.safe_dump_all(objects, width=1000) + QUOTED


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a site that was copied to."""
    tmp_path = tmp_path_factory.mktemp("site")
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).write_text(STAND_IN, encoding="utf-8")
        (tools / tool).chmod(stat.S_IRWXU)
    (tmp_path / "built.yaml").write_text(built(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUILT", str(tmp_path / "built.yaml"))
        patch.setenv("CALLS", str(tmp_path / "calls"))
        patch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        packages = [PIECES["seldon-core"], PIECES["kubeflow-pipelines"], PIECES["feast"]]
        copied = copy(packages, MIRROR.registry, tmp_path / "files", lambda _: None)
    assert len(copied) == len(set(copied))
    return tmp_path


def test_the_sites_files_are_what_a_render_makes_of_upstreams(site: Path):
    before = list(yaml.safe_load_all(built()))
    for name in ("kubeflow-pipelines/2.17.0/0.yaml", "kubeflow-pipelines/2.17.0/1.yaml", "feast/0.66.0/0.yaml"):
        after = list(yaml.safe_load_all((site / "files" / name).read_text(encoding="utf-8")))
        for one, other in zip(after, before, strict=True):
            assert one == MIRROR.objects(other)
        assert MIRROR.objects(after) == after, "a render of the mirror moves nothing twice"


def test_nothing_that_a_container_runs_is_upstreams(site: Path):
    deployment, settings, quoted = yaml.safe_load_all(
        (site / "files/feast/0.66.0/0.yaml").read_text(encoding="utf-8"),
    )
    pod = deployment["spec"]["template"]["spec"]
    found = [one["image"] for one in (*pod["initContainers"], *pod["containers"])]
    found += [one["image"] for one in quoted["spec"]["containers"]]
    assert all(image.startswith(f"{MIRROR.registry}/") for image in found)
    assert pod["containers"][-1]["args"][len(TOLD) :] == KEPT
    assert settings["data"]["cacheImage"] == f"{MIRROR.registry}/ghcr.io/containerd/busybox"


def test_what_a_file_names_is_copied_to_where_it_is_named(site: Path):
    calls = set((site / "calls").read_text(encoding="utf-8").splitlines())
    copied = {call.rpartition(" docker://")[2] for call in calls if call.startswith("skopeo")}
    for image in IMAGES:
        assert f"{MIRROR.registry}/{full_name(image).partition('@')[0]}" in copied
    assert all(call.split("docker://")[1].strip() for call in calls if call.startswith("skopeo"))
