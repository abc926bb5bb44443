"""Images, and where a chart names them: the paths of its values, and what each of them holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Part(StrEnum):
    """Axis: what of an image a value holds. Charts put it together again, each in its own way."""

    NAME = "name"
    """All of it: repository, tag and, where known, digest."""
    REPOSITORY = "repository"
    """Registry and path."""
    REGISTRY = "registry"
    """Up to the first slash."""
    PATH = "path"
    """What follows the registry."""
    TAG = "tag"
    PINNED = "pinned"
    """The tag, and behind it the digest where it is known: for charts with no value for a digest."""
    DIGEST = "digest"
    """sha256:… ; no value where it is not known."""
    HEX = "hex"
    """A digest without the name of its algorithm, which the chart adds; no value where it is not known."""


@dataclass(frozen=True)
class Value:
    """One value of a chart that names an image, or a part of it.

    Attributes:
        path: Keys with dots between them, such as webhook.image.tag; no key has a dot of its own.
        part: What it holds.
    """

    path: str
    part: Part


@dataclass(frozen=True)
class Image:
    """A container image.

    Attributes:
        repository: Registry and path, such as docker.io/seldonio/seldon-core-operator.
        tag: Its tag.
        digest: sha256:… of what the tag stood for when it was resolved; None: not resolved.
        helm_values: The values of its package's chart that name it.
        no_value_reason: Why no value of the chart names it.
    """

    repository: str
    tag: str
    digest: str | None = None
    helm_values: tuple[Value, ...] = ()
    no_value_reason: str = ""

    def __str__(self) -> str:
        """Return what a container names: tag and, where known, digest, which then decides."""
        return f"{self.repository}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


def image_values(images: Iterable[Image]) -> dict[str, Any]:
    """Return the values by which a chart runs just these images."""
    values: dict[str, Any] = {}
    for image in images:
        for value in image.helm_values:
            if text := _text(image, value.part):
                values = merged(values, _nested(value.path, text))
    return values


def merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with others over them: both hold mappings, these are merged; of anything else the latter stays."""
    both = dict(values)
    for key, value in over.items():
        below = both.get(key)
        both[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return both


def _nested(path: str, text: str) -> dict[str, Any]:
    first, dot, rest = path.partition(".")
    return {first: _nested(rest, text) if dot else text}


def _text(image: Image, part: Part) -> str:
    registry, _, path = image.repository.partition("/")
    digest = image.digest or ""
    return {
        Part.NAME: str(image),
        Part.REPOSITORY: image.repository,
        Part.REGISTRY: registry,
        Part.PATH: path,
        Part.TAG: image.tag,
        Part.PINNED: f"{image.tag}@{digest}" if digest else image.tag,
        Part.DIGEST: digest,
        Part.HEX: digest.removeprefix("sha256:"),
    }[part]
