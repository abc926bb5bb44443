"""Where pieces come from on an air-gapped site: every address rewritten to the site's own copies."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from mlstrata.components.upstream.bill import BILL
from mlstrata.components.upstream.image_values import Image, image_values
from mlstrata.components.upstream.package import Chart, Kustomization, Manifest, Source, UpstreamPackage

# A first part is a registry when it looks like a host; docker.io is what everything else means.
_HOST = re.compile(r"[^/]*[.:][^/]*|localhost")
DOCKER = "docker.io"


def full_name(image: str) -> str:
    """Return an image with its registry, as container runtimes read short names: `busybox` is Docker's library's."""
    first, slash, rest = image.partition("/")
    if slash and _HOST.fullmatch(first):
        return image if first != DOCKER or "/" in rest else f"{DOCKER}/library/{rest}"
    return f"{DOCKER}/{image}" if slash else f"{DOCKER}/library/{image}"


@dataclass(frozen=True)
class Mirror:
    """Copies of an air-gapped site.

    Attributes:
        registry: Container registry with a path; images lie under it by their full name, charts under charts/.
        files: Address of plain manifests.
    """

    registry: str
    files: str

    def image(self, image: str) -> str:
        """Return an image's copy, with the same tag and digest; a copy is its own."""
        return image if image.startswith(f"{self.registry}/") else f"{self.registry}/{full_name(image)}"

    def chart(self, chart: Chart) -> Chart:
        """Return a chart's copy, at the same version."""
        return replace(chart, repository=f"oci://{self.registry}/charts")

    def manifest(self, piece: str, version: str, number: int) -> Manifest:
        """Return the copy of a piece's source number `number`, built to plain YAML when it was copied."""
        return Manifest(f"{self.files.rstrip('/')}/{file_of(piece, version, number)}")

    def piece(self, piece: UpstreamPackage) -> UpstreamPackage:
        """Return a piece that comes from the copies alone, and whose chart is told to run the copies alone."""
        numbered = dict(enumerate(all_sources(piece)))
        moved = [self._source(piece, source, number) for number, source in numbered.items()]
        with_definitions = piece.crd_source is not None
        images, offered = (
            tuple(replace(one, repository=self.image(one.repository)) for one in some)
            for some in (piece.images, piece.offered)
        )
        helm_values = image_values((*images, *offered))
        sources = moved[1:] if with_definitions else moved
        return replace(
            piece,
            crd_source=moved[0] if with_definitions else None,
            sources=tuple(replace(one, values=helm_values) if isinstance(one, Chart) else one for one in sources),
            images=images,
            offered=offered,
        )

    def objects(self, value: object) -> object:
        """Return rendered objects with the image of every container rewritten.

        An image of the bill is rewritten in a text too: operators are told in variables, arguments and settings which
        images their own pods run, as Kubeflow is of what launches a step.

        Args:
            value: A Kubernetes object, or any part or list of them; it is not changed.
        """
        if isinstance(value, list):
            return [self.objects(one) for one in value]
        if isinstance(value, str):
            return _TOLD.sub(lambda found: self.image(found[0]), value)
        if not isinstance(value, dict):
            return value
        return {
            key: [self._container(one) for one in inner]
            if key in _CONTAINERS and isinstance(inner, list)
            else self.objects(inner)
            for key, inner in value.items()
        }

    def _container(self, container: object) -> object:
        if not isinstance(container, dict) or not isinstance(image := container.get("image"), str) or not image:
            return self.objects(container)
        return {key: self.image(image) if key == "image" else self.objects(inner) for key, inner in container.items()}

    def _source(self, piece: UpstreamPackage, source: Source, number: int) -> Source:
        if isinstance(source, Chart):
            return self.chart(source)
        return self.manifest(piece.name, piece.version, number)


def spelled(repository: str) -> set[str]:
    """Return an image's repository as texts spell it; of Docker's library it has its registry, or is any word."""
    if repository.startswith(f"{DOCKER}/library/"):
        return {repository, repository.replace("/library", "")}
    return {repository, repository.removeprefix(f"{DOCKER}/")}


_REPOSITORIES = {
    name for piece in BILL for image in (*piece.images, *piece.offered) for name in spelled(image.repository)
}
# Whole names with a tag, a digest or no more of the line behind them; a copy's name has its registry in front.
_TOLD = re.compile(
    rf"(?<![\w./-])(?:{'|'.join(map(re.escape, sorted(_REPOSITORIES, reverse=True)))})(?=[:@]|[\"']?$)", re.MULTILINE
)
_CONTAINERS = frozenset({"containers", "initContainers", "ephemeralContainers"})


def all_sources(piece: UpstreamPackage) -> tuple[Source, ...]:
    """Return what is copied for a piece, in a fixed order: its definitions' source first, then the others."""
    return (*([piece.crd_source] if piece.crd_source else []), *piece.sources)


def file_of(piece: str, version: str, number: int) -> str:
    """Return where under the files' address a built source lies."""
    return f"{piece}/{version}/{number}.yaml"


def build_command(source: Kustomization | Manifest) -> list[str]:
    """Return the command that prints a source as plain YAML."""
    if isinstance(source, Kustomization):
        return ["kubectl", "kustomize", source.address]
    return ["curl", "--fail", "--silent", "--show-error", "--location", source.address]


def reference(image: Image) -> str:
    """Return an image's key in the lock: full name and tag, with no digest."""
    return f"{full_name(image.repository)}:{image.tag}"
