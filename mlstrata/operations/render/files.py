"""A render's files: their text, the folder that they replace, and a kustomization in each folder of them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mlstrata.operations.errors import UsageError

KUSTOMIZATION, MARK = "kustomization.yaml", ".mlstrata-render"
UPSTREAM, CHARTED = "upstream", "charts"
"""Folders of definitions from elsewhere, each a kustomization of its address, and of Flux's charts."""
ARGOCD, FLUX = "argocd", "flux"
TOOLS = frozenset({ARGOCD, FLUX})
"""Folders that are deployed by nobody but the tool."""


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder that is empty, new or an earlier render.

    Raises:
        UsageError: it holds something else, which a render would remove.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MARK).is_file())):
        raise UsageError(f"--output: {folder} holds something that no render wrote; name an empty or a new folder")
    if folder.exists():
        for path in sorted(folder.iterdir()):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, text in {MARK: "Written by mlstrata render; the next one replaces all of it.\n", **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def kustomizations(files: Mapping[str, str]) -> dict[str, str]:
    """Return the kustomization of each folder of objects, and one of all of them, for `kubectl apply -k`."""
    inside: dict[str, list[str]] = {}
    for path in sorted(files):
        folder, _, name = path.partition("/")
        if name and folder not in {UPSTREAM, CHARTED}:
            inside.setdefault(folder, []).append(name)
    found = {f"{folder}/{KUSTOMIZATION}": text_of(kustomization(names)) for folder, names in inside.items()}
    objects = sorted(inside.keys() - TOOLS)
    return {**found, KUSTOMIZATION: text_of(kustomization(objects))}


def kustomization(resources: Sequence[str]) -> dict[str, Any]:
    """Return a kustomization of files, folders or addresses."""
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": list(resources)}


def _lines(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Write a text of several lines as such: a request inside a ConfigMap stays readable in a diff."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper: Any = type("_Dumper", (yaml.SafeDumper,), {})
_Dumper.add_representer(str, _lines)


def text_of(document: object) -> str:
    """Return a document as YAML, the same text for the same document."""
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000, default_flow_style=False))
