"""`mlstrata images`: what upstream software an environment takes, its licences, and how to copy it to a mirror."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlstrata.cli.console import err, say, say_json
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.components.upstream.mirror import Mirror
    from mlstrata.components.upstream.package import Source, UpstreamPackage
    from mlstrata.components.upstream.selection import Selected, Selection


def images(name: str, *, as_json: bool, script: bool, resolve: bool) -> None:
    """List an environment's upstream software, print its mirror script, or lock the digests of its images.

    Raises:
        UsageError: options that do not go together, a licence that the file does not allow, an image that could not
            be resolved (nothing is written then).
    """
    if sum((as_json, script, resolve)) > 1:
        raise UsageError("--json, --script and --resolve are three answers: give one of them")
    deployment = Deployment.open(name)
    selection = _selected(deployment)
    if resolve:
        _resolve(deployment, selection)
    elif script:
        _print_script(deployment, selection)
    elif as_json:
        say_json(_document(deployment, selection))
    else:
        _show(deployment, selection)
    if selection.problems and not (as_json or script):
        raise UsageError("\n".join(f"{deployment.name}: {problem}" for problem in selection.problems))


def _selected(deployment: Deployment) -> Selection:
    from mlstrata.components.upstream.lock import LockError
    from mlstrata.components.upstream.selection import locked, mirror_of, selection_for

    spec, workspace = deployment.spec, deployment.workspace
    try:
        return _with_our_own(selection_for(spec, workspace), locked(workspace), mirror_of(spec))
    except LockError as error:
        raise UsageError(str(error)) from None


def _with_our_own(selection: Selection, digests: dict[str, str], mirror: Mirror | None) -> Selection:
    """Return a selection with the image of our own services, which a site copies like any other."""
    from importlib.metadata import version

    from mlstrata.components.upstream.mirror import reference
    from mlstrata.components.upstream.package import Scope, UpstreamPackage
    from mlstrata.components.upstream.selection import Selected
    from mlstrata.components.workload.images import RUNTIME

    if not selection.taken:
        return selection
    ours = UpstreamPackage(
        name="mlstrata",
        version=version("mlstrata"),
        licence="Apache-2.0",
        sources=(),
        namespace="mlstrata",
        scope=Scope.NAMESPACE,
        images=(replace(RUNTIME, digest=digests.get(reference(RUNTIME))),),
    )
    return replace(selection, taken=(*selection.taken, Selected(mirror.piece(ours) if mirror else ours, ours, "")))


def _source(source: Source) -> dict[str, str]:
    from mlstrata.components.upstream.package import Chart

    kind = type(source).__name__.lower()
    found = {"kind": kind, "address": source.address}
    return {**found, "version": source.version} if isinstance(source, Chart) else found


def _piece(one: Selected) -> dict[str, Any]:
    piece: UpstreamPackage = one.piece
    return {
        "name": piece.name,
        "version": piece.version,
        "licence": piece.licence,
        "licence_note": one.note,
        "namespace": piece.namespace,
        "scope": piece.scope.value,
        "pod_security": piece.security,
        "privileged": piece.privileged,
        "baseline": piece.baseline,
        "definitions": _source(piece.crd_source) if piece.crd_source else None,
        "sources": [_source(source) for source in piece.sources],
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


def _document(deployment: Deployment, selection: Selection) -> dict[str, Any]:
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


def _show(deployment: Deployment, selection: Selection) -> None:
    if not selection.taken:
        say(f" {deployment.name} takes no containers: target {deployment.spec.target.kind} runs what its locks install")
        return
    for one in selection.taken:
        piece = one.piece
        say(f" {piece.name} {piece.version}  {piece.licence}", style="bold")
        for source in (*([piece.crd_source] if piece.crd_source else []), *piece.sources):
            found = _source(source)
            say(f"   {found['kind']:<13} {found['address']} {found.get('version', '')}".rstrip())
        for image in piece.images:
            say(f"   image         {image}")
        if piece.offered:
            say(f"   offered       {len(piece.offered)} images that nothing here starts (named by --json): not copied")
        if piece.rendered_images:
            say("   image         and what its render names; the mirror script copies those too")
        if why := piece.privileged or piece.baseline:
            say(f"   pods          Pod Security `{piece.security}`: {why}")
        if one.note:
            say(f"   licence       {one.note}", style="yellow")
    for left in selection.left_out:
        what = f" left out: {left.piece.name} is under {left.piece.licence}, which is denied: {left.without}"
        say(what, style="yellow")


def _print_script(deployment: Deployment, selection: Selection) -> None:
    import sys

    from mlstrata.components.upstream.selection import mirror_of
    from mlstrata.operations.images.mirror_script import script

    mirror = mirror_of(deployment.spec)
    sys.stdout.write(script(deployment.name, [one.upstream for one in selection.taken], mirror))


def _resolve(deployment: Deployment, selection: Selection) -> None:
    """Resolve every image where the environment takes it from; write the lock only when all were found."""
    from rich.progress import Progress

    from mlstrata.components.upstream.lock import NAME, read, write
    from mlstrata.components.upstream.mirror import reference
    from mlstrata.operations.images.digests import Wanted, resolve

    wanted = {
        reference(original): Wanted(reference(original), reference(image))
        for one in selection.taken
        for image, original in zip(one.piece.images, one.upstream.images, strict=True)
    }
    with Progress(console=err(), transient=True, disable=not err().is_terminal) as bar:
        task = bar.add_task("asking registries", total=len(wanted))
        found = resolve(wanted.values(), progress=lambda _: bar.advance(task))
    path = deployment.workspace.environments / NAME
    if found.failures:
        reasons = "\n".join(f"  {reason}: {', '.join(keys)}" for reason, keys in _grouped(found.failures).items())
        raise UsageError(
            f"{len(found.failures)} of {len(wanted)} images could not be resolved, {path} is left as it is:\n{reasons}"
            "\nrun this where the registries are reachable, or name a mirror in the environment (mirror: …)"
        )
    write(path, {**read(path), **found.digests})
    say(f"{path}: {len(found.digests)} images locked to their digests")


def _grouped(failures: dict[str, str]) -> dict[str, list[str]]:
    """Return the images of each reason."""
    found: dict[str, list[str]] = {}
    for key, reason in sorted(failures.items(), key=lambda item: (item[1], item[0])):
        found.setdefault(reason, []).append(key)
    return found
