"""`mlstrata images`: what upstream software an environment takes, its licences, and its copy in a mirror."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.cli.console import say, say_json
from mlstrata.cli.reporter import Terminal
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.operations.images import select

if TYPE_CHECKING:
    from mlstrata.operations.images.select import Selected, Selection


def images(name: str, *, as_json: bool, copy_to: Path | None, registry: str | None, resolve: bool) -> None:
    """List an environment's upstream software, copy it to a mirror, or lock the digests of its images.

    Raises:
        UsageError: options that do not go together, a licence that the file does not allow, an image that could not
            be resolved (nothing is written then).
    """
    if sum((as_json, copy_to is not None, resolve)) > 1:
        raise UsageError("--json, --copy-to and --resolve do three things: give one of them")
    deployment = Deployment.open(name)
    selection = select.selected(deployment)
    if resolve:
        path, count = select.resolve(deployment, selection, Terminal())
        say(f"{path}: {count} images locked to their digests")
    elif copy_to is not None:
        where, copied = select.copy(deployment, selection, copy_to, registry, Terminal())
        say(f" {len(copied)} images are in {where}; {copy_to} holds the manifests for the site's file server")
    elif as_json:
        say_json(select.document(deployment, selection))
    else:
        _show(deployment, selection)
    if selection.problems and not (as_json or copy_to):
        raise UsageError("\n".join(f"{deployment.name}: {problem}" for problem in selection.problems))


def _show(deployment: Deployment, selection: Selection) -> None:
    if not selection.taken:
        say(f" {deployment.name} takes no containers: target {deployment.spec.target.kind} runs what its locks install")
        return
    for one in selection.taken:
        piece = one.piece
        say(_head(one), style="bold")
        for source in (*([piece.crd_source] if piece.crd_source else []), *piece.sources):
            found = select.source_of(source)
            say(f"   {found['kind']:<13} {found['address']} {found.get('version', '')}".rstrip())
        for image in piece.images:
            say(f"   image         {image}")
        if piece.offered:
            say(f"   offered       {len(piece.offered)} images that nothing here starts (named by --json): not copied")
        if piece.rendered_images:
            say("   image         and what its render names; --copy-to copies those too")
        if why := piece.privileged or piece.baseline:
            say(f"   pods          Pod Security `{piece.security}`: {why}")
        if one.note:
            say(f"   licence       {one.note}", style="yellow")
    for left in selection.left_out:
        what = f" left out: {left.piece.name} is under {left.piece.licence}, which is denied: {left.without}"
        say(what, style="yellow")


def _head(one: Selected) -> str:
    piece = one.piece
    if piece.exists:
        return f" {piece.name}  existing, in {piece.namespace}; fits at {piece.fits}"
    return f" {piece.name} {piece.version}  {piece.licence}"
