"""What is inside charts and built manifests, as a site's own mirror holds them: rendered by helm, or fetched."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from mlstrata.operations.errors import Failed, UsageError
from mlstrata.policies.adapters.kubernetes_yaml import documents

if TYPE_CHECKING:
    from mlstrata.components.upstream.mirror import Mirror

_SECONDS = 120
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Inside:
    """What charts hold.

    Attributes:
        objects: Component and chart to its objects, in the order of their kinds and names; images are the mirror's.
        secrets: Secrets with data that a chart would make, as `chart: namespace/name`; they are not among the objects.
    """

    objects: Mapping[tuple[str, str], Sequence[dict[str, Any]]]
    secrets: tuple[str, ...]


def inside(charts: Sequence[Document], mirror: Mirror | None) -> Inside:
    """Render every chart, and fetch every manifest, from the mirror.

    Args:
        charts: Entries of a render's list of charts.
        mirror: The site's mirror.

    Raises:
        UsageError: the environment has no mirror, or helm is not there.
        Failed: the mirror does not hold one of them, or what it holds is no YAML.
    """
    if mirror is None:
        raise UsageError("--charts: the environment has no `mirror:` in its file; upstream's charts are not fetched")
    helm = shutil.which("helm")
    if helm is None and any(one["kind"] == "chart" for one in charts):
        raise UsageError("--charts: helm is not on PATH, and it is what renders charts")
    objects: dict[tuple[str, str], list[dict[str, Any]]] = {}
    secrets: list[str] = []
    for one in charts:
        text = _rendered(str(helm), one) if one["kind"] == "chart" else _fetched(one)
        kept: list[Any] = []
        for found in _objects(text, one["name"]):
            if found["kind"] == "Secret" and (found.get("data") or found.get("stringData")):
                metadata = found["metadata"]
                secrets.append(
                    f"{one['name']}: {metadata.get('namespace', one.get('namespace', ''))}/{metadata['name']}"
                )
            else:
                kept.append(mirror.objects(found))
        objects[one["component"], one["name"]] = sorted(kept, key=_key)
    return Inside(objects, tuple(sorted(secrets)))


def _rendered(helm: str, chart: Document) -> str:
    remote = str(chart["chart"]).startswith("oci://")
    command = [helm, "template", chart["name"], chart["chart"], "--version", chart["version"]]
    command += ["--namespace", chart["namespace"], "--values", "-"]
    command += [] if remote else ["--repo", chart["repository"]]
    command += ["--skip-crds"] if chart["skipCrds"] else ["--include-crds"]
    values = yaml.safe_dump(chart["values"], sort_keys=True)
    try:
        done = subprocess.run(command, input=values, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failed(f"{chart['name']}: helm did not render it within {_SECONDS} s; is the mirror reachable?") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Failed(f"{chart['name']} {chart['version']}: helm cannot render it: {said}")
    return str(done.stdout)


def _fetched(manifest: Document) -> str:
    import httpx

    try:
        answer = httpx.get(manifest["address"], timeout=_SECONDS, follow_redirects=True).raise_for_status()
    except httpx.HTTPError as error:
        raise Failed(f"{manifest['name']}: {manifest['address']} cannot be had: {error}") from None
    return str(answer.text)


def _objects(text: str, name: str) -> list[dict[str, Any]]:
    try:
        found = [one for one in documents(text) if one]
    except yaml.YAMLError as error:
        raise Failed(f"{name}: what the mirror holds is no YAML: {str(error).splitlines()[0]}") from None
    flat = [item for one in found for item in (one["items"] if _lists(one) else [one])]
    if odd := [
        one for one in flat if not isinstance(one, dict) or not {"apiVersion", "kind", "metadata"} <= one.keys()
    ]:
        raise Failed(f"{name}: what the mirror holds is no list of Kubernetes objects: {str(odd[0])[:80]}")
    return flat


def _lists(one: object) -> bool:
    return isinstance(one, dict) and one.get("kind") == "List" and isinstance(one.get("items"), list)


def _key(one: Document) -> tuple[str, str, str]:
    return str(one["kind"]), str(one["metadata"].get("namespace", "")), str(one["metadata"]["name"])
