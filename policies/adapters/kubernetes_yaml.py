"""Plain Kubernetes YAML as the resources that the policies take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mlstrata.policies.core.graph import Record
from mlstrata.policies.core.kinds import holds_containers

# Kubernetes knows neither YAML's dates nor its lone equals sign (definitions of operators list one): both are words.
_Loader: Any = type("_Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
for _tag in ("value", "timestamp"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", yaml.SafeLoader.construct_yaml_str)
SUFFIXES = {".yaml", ".yml", ".json"}
LARGEST = 32 << 20
DEEPEST, MOST_NODES = 200, 1_000_000
TOO_MUCH = f"nested deeper than {DEEPEST} levels, or more than {MOST_NODES:,} values with its aliases"
"""What a manifest may be: the definitions of operators are some 60 levels deep, with some 100,000 nodes."""
CORE = "core/v1"
BUNDLES = {"chart", "manifest", "kustomization"}
"""Kinds of the entries in `mlstrata render`'s charts.yaml, whose objects are not among the manifests."""
BUNDLE = "kubernetes:helm.sh/v3:Release"
KUSTOMIZATION = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
KUSTOMIZATIONS = {"kustomization.yaml", "kustomization.yml", "Kustomization"}
"""Names of the file that kustomize reads, which may leave out what kind it is."""


class ManifestError(Exception):
    """A folder or file is no manifest; the message names it and the fix."""


class Unbounded(yaml.YAMLError):  # type: ignore[misc]  # the library has no types
    """A text is deeper or larger than a manifest, once its aliases are followed."""


class _Lines(NamedTuple):
    """Lines, from 1, that a document begins in, and each mapping in a list at its top or right beneath that."""

    begins: int
    entries: list[int]


def documents(text: str) -> list[Any]:
    """Return the documents of a YAML text as Kubernetes reads them.

    Raises:
        yaml.YAMLError: it is no YAML, or none that a manifest may be.
    """
    return [document for document, _ in _placed(text)]


def _placed(text: str) -> list[tuple[Any, _Lines]]:
    """Return the documents, each with where its objects begin.

    Raises:
        yaml.YAMLError: As `documents`.
    """
    lines = _bounded(text)
    try:
        return list(zip(yaml.load_all(text, Loader=_Loader), lines, strict=True))
    except ValueError as error:  # a number that Python does not read
        raise yaml.YAMLError(str(error)) from None


def _bounded(text: str) -> list[_Lines]:
    """Go over a text's events, which needs no recursion: libyaml's own has no bound but the stack's end.

    Raises:
        Unbounded: it is too deep, too large, or an alias is inside its own anchor.
        yaml.YAMLError: it is no YAML.
    """
    anchors: dict[str | None, int] = {}
    sizes = [0]
    names: list[str | None] = []
    lists: list[bool] = []
    lines: list[_Lines] = []
    for event in _events(text):
        if isinstance(event, yaml.DocumentStartEvent):
            anchors, sizes = {}, [0]
            lines.append(_Lines(event.start_mark.line + 1, []))
        elif isinstance(event, yaml.CollectionStartEvent):
            if not lists:
                lines[-1] = _Lines(event.start_mark.line + 1, [])
            elif len(lists) <= 2 and lists[-1] and isinstance(event, yaml.MappingStartEvent):  # noqa: PLR2004 - as told
                lines[-1].entries.append(event.start_mark.line + 1)
            lists.append(isinstance(event, yaml.SequenceStartEvent))
            sizes.append(1)
            names.append(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            lists.pop()
            anchors[names.pop()] = size = sizes.pop()
            sizes[-1] += size
        elif isinstance(event, yaml.AliasEvent):
            # One that is not there yet is inside its own anchor, or a mistake that reading it will tell.
            sizes[-1] += anchors.get(event.anchor, MOST_NODES if event.anchor in names else 1)
        elif isinstance(event, yaml.ScalarEvent):
            anchors[event.anchor] = 1
            sizes[-1] += 1
        if len(sizes) > DEEPEST or sizes[-1] > MOST_NODES:
            raise Unbounded(TOO_MUCH)
    return lines


def _events(text: str) -> Iterator[Any]:
    """Yield the events of a text. Newer libyaml, which reads ahead, has a bound of its own of a thousand levels."""
    try:
        yield from yaml.parse(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise Unbounded(TOO_MUCH) if "nesting depth" in str(error.problem) else error from None


def read(folder: Path) -> list[Record]:
    """Read every manifest beneath a folder, in the order of their names; Lists are unpacked.

    Raises:
        ManifestError: the folder holds none, or a file in it is not YAML.
    """
    if not folder.is_dir():
        raise ManifestError(f"{folder}: is no folder; name one with Kubernetes YAML in it")
    found: list[Record] = []
    for path in sorted(path for path in folder.rglob("*") if _is_read(path)):
        found += [_record(one, path, line, len(found) + at) for at, (one, line) in enumerate(_objects(path))]
    if all(one.type == BUNDLE for one in found):
        raise ManifestError(f"{folder}: holds no Kubernetes objects (.yaml, .yml, .json with apiVersion and kind)")
    return found


def _is_read(path: Path) -> bool:
    return path.is_file() and (path.suffix in SUFFIXES or path.name in KUSTOMIZATIONS)


def _objects(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the objects of a file, each with the line that it begins in."""
    if path.stat().st_size > LARGEST:
        raise ManifestError(f"{path}: larger than 32 MiB; split it")
    try:
        found = _placed(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read ({error}); make it a readable UTF-8 file") from None
    except Unbounded as error:
        raise ManifestError(f"{path}: {error}; write it out, or split it") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ManifestError(f"{path}{line}: not valid YAML; render templates first") from None
    for document, lines in found:
        if path.name in KUSTOMIZATIONS and isinstance(document, dict):
            yield from _hiding(document, path.parent, lines.begins)
            continue
        for item, begins in _entries(document, lines, path):
            if (read := _object(item)) is not None:
                yield read, begins


def _entries(document: Any, lines: _Lines, path: Path) -> Iterator[tuple[Any, int]]:
    """Yield a document, or the entries of one that is a list, each with its line."""
    given = document
    if isinstance(document, dict) and document.get("kind") == "List":
        given = document.get("items") or []
        if not isinstance(given, list):
            raise ManifestError(f"{path}:{lines.begins}: a List whose items are none; write a list of objects")
    yield from _with_lines(given, lines) if isinstance(given, list) else [(given, lines.begins)]


def _object(item: object) -> dict[str, Any] | None:
    """Return an object of Kubernetes; one that holds containers is one, even where it does not say of which kind."""
    if not isinstance(item, dict) or _is_bundle(item):
        return item if isinstance(item, dict) else None
    said = {key: item.get(key) for key in ("apiVersion", "kind")}
    if all(isinstance(one, str) and one for one in said.values()):
        return item
    if not holds_containers(item.get("spec")):
        return None
    return {**item, **{key: one if isinstance(one, str) and one else "unknown" for key, one in said.items()}}


def _hiding(document: dict[str, Any], folder: Path, line: int) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield a kustomization with its line, unless all that it brings is read as it is."""
    if not _lists_only(document, folder):
        yield {**KUSTOMIZATION, **document}, line


def _lists_only(document: Mapping[str, Any], folder: Path) -> bool:
    """Say whether a kustomization names what is beneath its folder and changes nothing: all of it is read as it is."""
    listed = document.get("resources")
    if not isinstance(listed, list) or set(document) - {"apiVersion", "kind", "resources"}:
        return False
    beneath = folder.resolve()
    named = [(beneath / one).resolve() if isinstance(one, str) else beneath for one in listed]
    return all(one != beneath and one.is_relative_to(beneath) and (one.is_dir() or _is_read(one)) for one in named)


def _with_lines(entries: object, lines: _Lines) -> Iterator[tuple[Any, int]]:
    """Yield the entries of a list, each with its line; the document's, where an alias stands for one."""
    given = entries if isinstance(entries, list) else []
    held = sum(isinstance(one, dict) for one in given) == len(lines.entries)
    found = iter(lines.entries)
    for one in given:
        yield one, next(found) if held and isinstance(one, dict) else lines.begins


def _is_bundle(entry: object) -> bool:
    return isinstance(entry, dict) and entry.get("kind") in BUNDLES and isinstance(entry.get("component"), str)


def _record(manifest: dict[str, Any], path: Path, line: int, index: int) -> Record:
    if _is_bundle(manifest):
        shown = str(manifest.get("name") or manifest["component"])
        return Record(f"urn:manifest:{index}::{BUNDLE}::{shown}", BUNDLE, shown, file=str(path), line=line)
    version = manifest["apiVersion"]
    kind = f"kubernetes:{CORE if version == 'v1' else version}:{manifest['kind']}"
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    shown = str(name or manifest["kind"])
    return Record(f"urn:manifest:{index}::{kind}::{shown}", kind, shown, inputs=manifest, file=str(path), line=line)
