"""The script that copies an environment's images, charts and manifests to an air-gapped site's mirror."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from mlstrata.components.upstream.mirror import Mirror, all_sources, build_command, file_of, full_name, spelled
from mlstrata.components.upstream.package import Chart, UpstreamPackage

_HEAD = """#!/usr/bin/env bash
# Copies what the environment {environment} takes from upstream to a mirror; written by `mlstrata images --script`.
# Run it where both are reachable, with helm, skopeo, kubectl and curl on PATH; a second run copies only what is new.
#   usage: {usage}
set -euo pipefail
registry={registry}
files={files}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for tool in curl helm kubectl skopeo; do
  command -v "$tool" >/dev/null || {{ echo "$tool is not on PATH" >&2; exit 2; }}
done

image() {{ # SOURCE: an image with registry and tag; its digest stays the same
  local named=${{1%@*}} from=$1
  # Of a tag and a digest together skopeo takes only one: the digest decides.
  [ "$named" = "$1" ] || from=${{named%:*}}@${{1#*@}}
  echo "image $1"
  skopeo copy --all --preserve-digests --quiet "docker://$from" "docker://$registry/$named"
}}
rendered() {{ # FILE: the images that a render names
  {{ grep -ohE '^[[:space:]-]*image: *[^[:space:]]+' "$1" || true; }} |
    sed -E "s/.*image: *//; s/[\\"']//g" | sort -u | while read -r found; do
      case $found in
        '' | *[!A-Za-z0-9._/:@-]*) continue ;;
        docker.io/*/*) ;;
        docker.io/*) found=docker.io/library/${{found#*/}} ;;
        */*) case ${{found%%/*}} in *.*|*:*|localhost) ;; *) found=docker.io/$found ;; esac ;;
        *) found=docker.io/library/$found ;;
      esac
      image "$found"
    done
}}
chart() {{ # NAME VERSION PULL-ARGUMENTS...
  echo "chart $1 $2"
  rm -rf "$work/chart" && mkdir "$work/chart"
  helm pull "${{@:3}}" --version "$2" --destination "$work/chart"
  helm push "$work"/chart/*.tgz "oci://$registry/charts"
  helm template mirror "$work"/chart/*.tgz --include-crds >"$work/render.yaml" 2>"$work/log" ||
    echo "  its render needs values: its images are those listed" >&2
  rendered "$work/render.yaml"
}}
manifest() {{ # FILE COMMAND...: plain YAML, with the mirror's images in place of what it names
  echo "manifest $1"
  mkdir -p "$files/$(dirname "$1")"
  "${{@:2}}" >"$work/built.yaml"
  rendered "$work/built.yaml"
  sed -E -f "$work/moved.sed" "$work/built.yaml" >"$files/$1.part"
  mv "$files/$1.part" "$files/$1"
}}
sed "s#@registry@#$registry#g" >"$work/moved.sed" <<'END'
{moved}END

"""
# An image that a container names is moved whatever it is; anywhere else, in arguments and settings, only one of the
# bill: what components/upstream/mirror.py does with objects, line by line.
_MOVED = r"""\,^[[:space:]]*(- )?image: *["']?[A-Za-z0-9][A-Za-z0-9._/:@-]*["']?([[:space:]]+#.*)?$, {
  \#image: *["']?@registry@/# b
  s#(image: *["']?)([^"'/]*[.:][^"'/]*/|localhost/)#\1@registry@/\2#
  t host
  s#(image: *["']?)([^"'/]*/)#\1@registry@/docker.io/\2#
  t
  s#(image: *["']?)#\1@registry@/docker.io/library/#
  b
  :host
  s#(@registry@/docker\.io/)([^/]*)$#\1library/\2#
  b
}
"""


def script(environment: str, pieces: Sequence[UpstreamPackage], mirror: Mirror | None) -> str:
    """Return the script.

    Args:
        environment: The environment's name, for its first lines.
        pieces: What is copied, with upstream's own addresses.
        mirror: Where to; None: the script takes the registry as its first argument. Manifests go to a folder, its last
            argument, which the site's file server publishes.
    """
    registry = shlex.quote(mirror.registry) if mirror else "${1:?the registry, such as registry.example.com/mirror}"
    folder = "1" if mirror else "2"
    head = _HEAD.format(
        environment=environment,
        usage=f"{environment}-mirror.sh {'' if mirror else 'REGISTRY '}FOLDER",
        registry=registry,
        files=f"${{{folder}:?the folder of plain manifests}}",
        moved=_MOVED + "".join(f"{line}\n" for line in _named(pieces)),
    )
    return head + "".join(f"{line}\n" for line in _lines(pieces))


def _named(pieces: Sequence[UpstreamPackage]) -> Iterator[str]:
    """Return sed's commands that move the images of the bill wherever a line names one."""
    names = {image.repository for piece in pieces for image in (*piece.images, *piece.offered)}
    for found in sorted({name for repository in names for name in spelled(repository)}):
        escaped = found.replace(".", r"\.")
        yield rf"s#(^|[^A-Za-z0-9_./-]){escaped}([:@]|[\"']?$)#\1@registry@/{full_name(found)}\2#g"


def _lines(pieces: Sequence[UpstreamPackage]) -> Iterator[str]:
    copied: set[str] = set()
    for piece in pieces:
        yield f"# {piece.name} {piece.version} ({piece.licence})"
        for number, source in enumerate(all_sources(piece)):
            if isinstance(source, Chart):
                remote = source.repository.startswith("oci://")
                pulled = [source.address] if remote else [source.name, "--repo", source.repository]
                yield shlex.join(["chart", source.name, source.version, *pulled])
            else:
                yield shlex.join(["manifest", file_of(piece.name, piece.version, number), *build_command(source)])
        for image in piece.images:
            named = full_name(str(image))
            if named not in copied:
                copied.add(named)
                yield shlex.join(["image", named])
