"""Copies an environment's images, charts and manifests to an air-gapped site's mirror, by skopeo, helm and kubectl."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlstrata import files
from mlstrata.components.upstream.mirror import Mirror, all_sources, build_command, file_of, full_name
from mlstrata.components.upstream.package import Chart, UpstreamPackage
from mlstrata.operations.errors import Failed
from mlstrata.operations.images.skopeo import SKOPEO, insecure, require, said

TOOLS = ("curl", "helm", "kubectl", SKOPEO)
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_RETRIES = "3"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class _Recording(Mirror):
    """A mirror that remembers which images it was asked for."""

    asked: set[str] = field(default_factory=set)

    def image(self, image: str) -> str:
        self.asked.add(image)
        return super().image(image)


def copy(packages: Sequence[UpstreamPackage], registry: str, folder: Path, progress: Progress) -> list[str]:
    """Copy packages to a mirror; a second run copies only what is new.

    Registries are asked with the login of docker or podman on this machine.

    Args:
        packages: What is copied, with upstream's own addresses.
        registry: Container registry with a path.
        folder: Where the manifests go, for the site's file server to publish; their images are the mirror's.
        progress: Called with what is copied next.

    Returns:
        The images that were copied, by their upstream names.

    Raises:
        UsageError: A tool is not on PATH.
        Failed: A source cannot be read, or the registry refuses; with the tool's own reason.
    """
    for tool in TOOLS:
        require(tool)
    mirror = _Recording(registry, "")
    images: dict[str, None] = {}
    for package in packages:
        for number, source in enumerate(all_sources(package)):
            if isinstance(source, Chart):
                progress(f"chart {source.name} {source.version}")
                mirror.objects(_pushed(source, registry))
            else:
                progress(f"manifest {package.name} {package.version}")
                objects = _parsed(_run(build_command(source)))
                mirror.asked.update(_named(objects))
                target = folder / file_of(package.name, package.version, number)
                files.write(target, _text(mirror.objects(objects)), mode=None)
        images.update(dict.fromkeys(full_name(str(image)) for image in package.images))
        images.update(dict.fromkeys(sorted(full_name(image) for image in mirror.asked)))
        mirror.asked.clear()
    for image in images:
        progress(f"image {image}")
        copy_image(image, registry)
    return list(images)


def copy_image(image: str, registry: str) -> None:
    """Copy an image of all architectures, with its digest.

    Args:
        image: With its registry, and a tag, a digest or both.
        registry: Where to.

    Raises:
        Failed: A registry does not answer, or refuses.
    """
    named, _, digest = image.partition("@")
    # Of a tag and a digest together skopeo takes only one: the digest decides.
    repository = named if ":" not in named.rpartition("/")[2] else named.rpartition(":")[0]
    source = f"{repository}@{digest}" if digest else named
    options = ["--all", "--preserve-digests", "--quiet", "--retry-times", _RETRIES]
    options += insecure(image, "--src-tls-verify") + insecure(registry, "--dest-tls-verify")
    _run([SKOPEO, "copy", *options, f"docker://{source}", f"docker://{registry}/{named}"])


def _pushed(chart: Chart, registry: str) -> list[Any]:
    """Copy a chart; return what it renders by its defaults, nothing where it needs values."""
    remote = chart.repository.startswith("oci://")
    where = [chart.address] if remote else [chart.name, "--repo", chart.repository]
    with tempfile.TemporaryDirectory() as folder:
        _run(["helm", "pull", *where, "--version", chart.version, "--destination", folder])
        archives = [str(path) for path in Path(folder).glob("*.tgz")]
        plain = ["--plain-http"] if insecure(registry, "") else []
        _run(["helm", "push", *archives, f"oci://{registry}/charts", *plain])
        try:
            objects = _parsed(_run(["helm", "template", "mirror", *archives, "--include-crds"]))
        except Failed:
            # Its images are those that the bill lists.
            return []
    return [*objects, *({"containers": [{"image": image}]} for image in _named(objects))]


def _parsed(text: str) -> list[Any]:
    import yaml

    return list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def _text(objects: object) -> str:
    import yaml

    assert isinstance(objects, list)  # noqa: S101 - a list was given
    return str(yaml.dump_all(objects, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False))


def _named(value: object) -> Iterator[str]:
    """Yield every image that a field `image` names, of a container or of a custom resource."""
    if isinstance(value, list):
        for one in value:
            yield from _named(one)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "image" and isinstance(inner, str) and _IMAGE.fullmatch(inner):
                yield inner
            yield from _named(inner)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Failed(f"{' '.join(command[:2])} {command[-1]}: {said(done.stderr)}")
    return done.stdout
