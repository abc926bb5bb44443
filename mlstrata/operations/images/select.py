"""What upstream software an environment takes, and the lock of its images' digests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.components.upstream.selection import Selected, Selection
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.components.upstream.image_values import Image
    from mlstrata.components.upstream.mirror import Mirror
    from mlstrata.components.upstream.package import Source, UpstreamPackage
    from mlstrata.environments import EnvironmentSpec
    from mlstrata.operations.reporting import Reporter

__all__ = ["Selected", "Selection", "copy", "document", "resolve", "selected", "source_of"]


def copy(
    deployment: Deployment, selection: Selection, folder: Path, registry: str | None, reporter: Reporter
) -> tuple[str, list[str]]:
    """Copy all of a selection to an air-gapped site's mirror.

    Args:
        deployment: The environment.
        selection: What it takes.
        folder: Where the manifests go.
        registry: Where images and charts go; None: the registry of the environment's mirror.
        reporter: Is told what is copied.

    Returns:
        The registry, and the images that were copied.

    Raises:
        UsageError: no registry is named, or a tool is missing.
        Failed: a source cannot be read, or the registry refuses.
    """
    from mlstrata.components.upstream.selection import mirror_of
    from mlstrata.operations.images import mirroring

    mirror = mirror_of(deployment.spec)
    registry = registry or (mirror.registry if mirror else None)
    if registry is None:
        raise UsageError(
            f"{deployment.loaded.file}: no mirror is declared (mirror: {{registry: …, files: …}}); "
            "--registry names one, such as registry.example.com/mirror"
        )
    with reporter.working("copying …") as working:
        return registry, mirroring.copy([one.upstream for one in selection.taken], registry, folder, working)


def resolve(deployment: Deployment, selection: Selection, reporter: Reporter) -> tuple[Path, int]:
    """Resolve every image where the environment takes it from; write the lock only when all were found.

    Returns:
        The lock and the number of images in it.

    Raises:
        UsageError: an image could not be resolved; nothing is written then.
    """
    from mlstrata.components.upstream.lock import NAME, read, write
    from mlstrata.components.upstream.mirror import reference
    from mlstrata.operations.images.digests import Wanted
    from mlstrata.operations.images.digests import resolve as resolve_digests

    wanted = {
        reference(original): Wanted(reference(original), reference(image))
        for one in selection.taken
        for image, original in zip(one.piece.images, one.upstream.images, strict=True)
    }
    asked = 0

    def count(_key: str) -> None:
        nonlocal asked
        asked += 1
        working(f"asking registries · {asked} of {len(wanted)}")

    with reporter.working("asking registries …") as working:
        found = resolve_digests(wanted.values(), progress=count)
    path = deployment.workspace.environments / NAME
    if found.failures:
        reasons = "\n".join(f"  {reason}: {', '.join(keys)}" for reason, keys in _grouped(found.failures).items())
        raise UsageError(
            f"{len(found.failures)} of {len(wanted)} images could not be resolved, {path} is left as it is:\n{reasons}"
            "\nrun this where the registries are reachable, or name a mirror in the environment (mirror: …)"
        )
    write(path, {**read(path), **found.digests})
    return path, len(found.digests)


def selected(deployment: Deployment) -> Selection:
    """Return the upstream software that an environment takes.

    Raises:
        UsageError: the lock of digests is none.
    """
    from mlstrata.components.upstream.lock import LockError
    from mlstrata.components.upstream.selection import locked, mirror_of, selection_for

    spec, workspace = deployment.spec, deployment.workspace
    try:
        selection = selection_for(spec, workspace)
        return _with_our_own(selection, _ours(spec), locked(workspace), mirror_of(spec))
    except LockError as error:
        raise UsageError(str(error)) from None


def _ours(spec: EnvironmentSpec) -> list[Image]:
    """Return our own images that it runs: what the file names in their place is pinned there, not locked or copied."""
    from mlstrata.components.upstream.runtime import RUNTIME, SERVING

    named = spec.images
    return [] if named.runtime else [RUNTIME, *([] if named.serving else [SERVING])]


def _with_our_own(
    selection: Selection, own: Sequence[Image], digests: dict[str, str], mirror: Mirror | None
) -> Selection:
    """Return a selection with the images of our own services, which a site copies like any other."""
    from importlib.metadata import version

    from mlstrata.components.upstream.mirror import reference
    from mlstrata.components.upstream.package import Scope, UpstreamPackage
    from mlstrata.components.upstream.selection import Selected

    if not selection.taken or not own:
        return selection
    ours = UpstreamPackage(
        name="mlstrata",
        version=version("mlstrata"),
        licence="Apache-2.0",
        sources=(),
        namespace="mlstrata",
        scope=Scope.NAMESPACE,
        images=tuple(replace(one, digest=digests.get(reference(one))) for one in own),
    )
    return replace(selection, taken=(*selection.taken, Selected(mirror.piece(ours) if mirror else ours, ours, "")))


def source_of(source: Source) -> dict[str, str]:
    """Return where something comes from: its kind, address and, of a chart, version."""
    from mlstrata.components.upstream.package import Chart

    kind = type(source).__name__.lower()
    found = {"kind": kind, "address": source.address}
    return {**found, "version": source.version} if isinstance(source, Chart) else found


def _piece(one: Selected) -> dict[str, Any]:
    piece: UpstreamPackage = one.piece
    return {
        "name": piece.name,
        "version": piece.version,
        "lifecycle": "existing" if piece.exists else "managed",
        "fits": piece.fits,
        "licence": piece.licence,
        "licence_note": one.note,
        "namespace": piece.namespace,
        "scope": piece.scope.value,
        "pod_security": piece.security,
        "privileged": piece.privileged,
        "baseline": piece.baseline,
        "definitions": source_of(piece.crd_source) if piece.crd_source else None,
        "sources": [source_of(source) for source in piece.sources],
        "crds": list(piece.crds),
        "images": [
            {"image": str(image), "upstream": str(original), "digest": image.digest}
            for image, original in zip(piece.images, one.upstream.images, strict=True)
        ],
        "offered": [
            {"image": str(image), "upstream": str(original)}
            for image, original in zip(piece.offered, one.upstream.offered, strict=True)
        ],
        "more_images_in_its_render": piece.rendered_images,
    }


def document(deployment: Deployment, selection: Selection) -> dict[str, Any]:
    """Return a selection for machines."""
    return {
        "environment": deployment.name,
        "target": deployment.spec.target.kind,
        "mirror": deployment.spec.mirror.model_dump() if deployment.spec.mirror else None,
        "pieces": [_piece(one) for one in selection.taken],
        "left_out": [
            {"name": one.piece.name, "licence": one.piece.licence, "without": one.without} for one in selection.left_out
        ],
        "problems": list(selection.problems),
    }


def _grouped(failures: dict[str, str]) -> dict[str, list[str]]:
    """Return the images of each reason."""
    found: dict[str, list[str]] = {}
    for key, reason in sorted(failures.items(), key=lambda item: (item[1], item[0])):
        found.setdefault(reason, []).append(key)
    return found
