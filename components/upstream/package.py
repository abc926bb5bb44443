"""What the bill of materials is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from mlstrata.components.upstream.image_values import Image
from mlstrata.environments.stages import Capability


class Scope(StrEnum):
    """Axis: what of a cluster a piece touches; a cluster can have one of a cluster-wide piece."""

    CLUSTER = "cluster"
    NAMESPACE = "namespace"


@dataclass(frozen=True)
class Chart:
    """A Helm chart.

    Attributes:
        repository: Address of the repository: https://… with an index, or oci://… that ends before the chart's name.
        name: The chart's name.
        version: The chart's own version, which may differ from the version of what it installs.
        values: Values that come with where it is taken from: those of its images, where they are a mirror's.
    """

    repository: str
    name: str
    version: str
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def address(self) -> str:
        """The chart as one address; of an https repository, the repository with the name behind it."""
        return f"{self.repository.rstrip('/')}/{self.name}"


@dataclass(frozen=True)
class Kustomization:
    """A folder of a git repository at a tag.

    Attributes:
        repository: https address of the repository.
        path: The folder inside it.
        tag: The tag.
    """

    repository: str
    path: str
    tag: str

    @property
    def address(self) -> str:
        """The form that `kubectl kustomize` takes; its own limit of 27 s is too short for a large repository."""
        return f"{self.repository}//{self.path}?ref={self.tag}&timeout=300s"


@dataclass(frozen=True)
class Manifest:
    """Plain YAML.

    Attributes:
        address: https address of the file.
    """

    address: str


Source = Chart | Kustomization | Manifest


@dataclass(frozen=True)
class Change:
    """From which version on a piece has another licence.

    Attributes:
        version: The first version under it.
        licence: SPDX identifier.
        why: What that means, in a sentence.
    """

    version: str
    licence: str
    why: str


@dataclass(frozen=True)
class UpstreamPackage:
    """One upstream project as it is installed.

    Attributes:
        name: Its name here.
        version: Version of the software.
        licence: SPDX identifier of that version's licence.
        sources: What is installed, in this order; none for typed objects of our own.
        crds: Full names of its custom resource definitions (plural.group); they are installed apart and retained.
        crd_source: Where they are, when not in `sources`.
        values: Values of its chart without which it would install its definitions itself, and take them along when it
            goes, or run other images than those listed here.
        images: The images it runs, as far as they can be named without rendering it.
        offered: Images that its source offers for what no environment here starts. A site need not copy them; from a
            mirror its source names the mirror's all the same, so that nobody is ever asked for them but the mirror.
        rendered_images: Its source names more images than are listed here: a copy to a mirror asks the render.
        namespace: Where it is installed.
        scope: Whether it is cluster-wide.
        privileged: Why its pods do what Pod Security allows to privileged ones only; None: they do not.
        baseline: Why they meet Pod Security's `baseline` and not `restricted`; None: they meet that too.
        capabilities: It is part of an environment that has one of these; empty: only when the file names it.
        targets: The targets that take it.
        after: Pieces that must be there before it.
        fits: The versions of it that a cluster may have already, as Python's version specifiers; empty: none may, as
            what an environment puts beside it cannot be another's.
        named: Endings of those of its images that objects of ours name; a cluster that has it still runs these.
        exists: The cluster has it: nothing of it is installed.
        definitions_exist: The cluster has its definitions.
        optional: What is missing without it; such a piece is left out where its licence is denied. None: it is needed.
        changes: Later versions under other licences.
    """

    name: str
    version: str
    licence: str
    namespace: str
    sources: tuple[Source, ...] = ()
    scope: Scope = Scope.CLUSTER
    crds: tuple[str, ...] = ()
    crd_source: Source | None = None
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)
    images: tuple[Image, ...] = ()
    offered: tuple[Image, ...] = ()
    rendered_images: bool = False
    privileged: str | None = None
    baseline: str | None = None
    capabilities: frozenset[Capability] = frozenset()
    targets: frozenset[str] = frozenset({"kubernetes", "aws"})
    after: tuple[str, ...] = ()
    fits: str = ""
    named: tuple[str, ...] = ()
    exists: bool = False
    definitions_exist: bool = False
    optional: str | None = None
    changes: tuple[Change, ...] = ()

    @property
    def security(self) -> str:
        """The Pod Security standard that its namespace is held to."""
        return "privileged" if self.privileged else "baseline" if self.baseline else "restricted"

    @property
    def chart(self) -> Chart:
        """Return its one chart.

        Raises:
            LookupError: it has none, or several.
        """
        charts = [source for source in self.sources if isinstance(source, Chart)]
        if len(charts) != 1:
            raise LookupError(f"{self.name} has {len(charts)} charts, not one")
        return charts[0]

    def image(self, ending: str) -> Image:
        """Return its one image whose repository ends with `/<ending>`.

        Raises:
            LookupError: there is none, or several.
        """
        found = [image for image in self.images if image.repository.endswith(f"/{ending}")]
        if len(found) != 1:
            names = ", ".join(image.repository for image in self.images)
            raise LookupError(f"{self.name} has {len(found)} images '{ending}', not one, among {names or 'none'}")
        return found[0]

    def existing(self, version: str | None, namespace: str | None) -> UpstreamPackage:
        """Return the piece as a cluster has it already: nothing to install, and the images that ours name themselves.

        Args:
            version: Its version there; None: it is not said.
            namespace: Where its operator runs; None: upstream's usual place.
        """
        there = version or self.version
        return replace(
            self,
            version=there,
            licence=self._licence_at(there),
            namespace=namespace or self.namespace,
            sources=(),
            crd_source=None,
            values={},
            images=tuple(self.image(ending) for ending in self.named),
            offered=(),
            rendered_images=False,
            privileged=None,
            baseline=None,
            exists=True,
            definitions_exist=True,
        )

    def images_at(self, version: str) -> tuple[Image, ...]:
        """Return its images at another version of the software."""
        return tuple(_image_at(one, self.version, version) for one in self.images)

    def _licence_at(self, version: str) -> str:
        change = next((one for one in reversed(self.changes) if ordered(version) >= ordered(one.version)), None)
        return change.licence if change else self.licence

    def at(self, version: str, chart: str | None = None) -> UpstreamPackage:
        """Return the piece at another version: its sources and images follow, its licence is that version's.

        Args:
            version: The version of the software.
            chart: The chart's version, for a chart that numbers itself apart from the software.

        Raises:
            ValueError: the chart numbers itself apart, and `chart` does not say which one.
        """
        if version.lstrip("v") == self.version.lstrip("v") and chart is None:
            return self
        apart = [one for one in self.sources if isinstance(one, Chart) and not _same(one.version, self.version)]
        if apart and chart is None:
            raise ValueError(
                f"the chart {apart[0].name} numbers itself apart from {self.name} ({apart[0].version} brings "
                f"{self.version}): name the chart's version too"
            )
        return replace(
            self,
            version=_like(self.version, version),
            licence=self._licence_at(version),
            sources=tuple(_moved(source, self.version, version, chart) for source in self.sources),
            crd_source=_moved(self.crd_source, self.version, version, None) if self.crd_source else None,
            images=self.images_at(version),
            offered=tuple(_image_at(one, self.version, version) for one in self.offered),
        )


def ordered(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, for comparison: v1.18.0 is (1, 18, 0)."""
    numbers = version.lstrip("v").split("-")[0].split(".")
    return tuple(int(number) if number.isdigit() else 0 for number in numbers)


def _same(one: str, other: str) -> bool:
    return one.lstrip("v") == other.lstrip("v")


def _like(old: str, new: str) -> str:
    """Return a version written as the old one was, with a v in front or without."""
    return ("v" if old.startswith("v") else "") + new.lstrip("v")


def _image_at(image: Image, old: str, new: str) -> Image:
    # A digest belongs to the old version.
    return replace(image, tag=_like(image.tag, new), digest=None) if _same(image.tag, old) else image


def _moved(source: Source, old: str, new: str, chart: str | None) -> Source:
    if isinstance(source, Chart):
        if chart is not None:
            return replace(source, version=chart)
        return replace(source, version=_like(source.version, new)) if _same(source.version, old) else source
    if isinstance(source, Kustomization):
        return replace(source, tag=_like(source.tag, new)) if _same(source.tag, old) else source
    return replace(source, address=source.address.replace(old.lstrip("v"), new.lstrip("v")))
