"""An environment as plain Kubernetes manifests, for whoever deploys with Argo CD or Flux."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed, UsageError

if TYPE_CHECKING:
    import pulumi_embedded

_KUBERNETES, _COMPONENT, _PULUMI = "kubernetes:", "mlstrata:", "pulumi.com/"

_NAMESPACE = "mlstrata:platform:OperatorNamespace"

_RELEASE = "kubernetes:helm.sh/v3:Release"

_REMOTE = {"kubernetes:kustomize/v2:Directory": "directory", "kubernetes:yaml/v2:ConfigFile": "file"}


CHARTS, SECRETS, COMPONENTS, MARK = "charts.yaml", "secrets.yaml", "components.yaml", ".mlstrata-render"


STAYS = {"argocd.argoproj.io/sync-options": "Delete=false,Prune=false", "kustomize.toolkit.fluxcd.io/prune": "disabled"}
"""On what holds data: a tool that takes an environment's folder away leaves it where it is."""


_FIRST = ("Namespace", "CustomResourceDefinition", "PriorityClass", "NetworkPolicy", "ServiceAccount")
"""Kinds that others in the same folder need; the rest follow in the order of their names."""


@dataclass(frozen=True)
class Rendered:
    """An environment as files.

    Attributes:
        files: Path below the folder to its text.
        objects: Number of Kubernetes objects.
        charts: Number of charts, kustomizations and manifests that are named and not inside.
    """

    files: Mapping[str, str]
    objects: int
    charts: int


def render(deployment: Deployment, folder: Path, *, charts: bool = False) -> tuple[Rendered, tuple[str, ...]]:
    """Write an environment's manifests into a folder, in place of what an earlier render wrote there.

    Args:
        deployment: The environment.
        folder: An empty folder, a new one, or an earlier render.
        charts: Render the charts in the environment's mirror too, with helm.

    Returns:
        What was written, and the Secrets of charts that were left out.

    Raises:
        UsageError: the environment is not on a cluster, has no mirror to take charts from, or the folder holds
            something else.
        Failed: an object holds a secret, or something that only the deployment knows.
    """
    rendered = manifests(deployment.target.objects())
    secrets: tuple[str, ...] = ()
    if charts:
        rendered, secrets = _with_charts(rendered, deployment)
    write(folder, rendered.files)
    return rendered, secrets


def _with_charts(rendered: Rendered, deployment: Deployment) -> tuple[Rendered, tuple[str, ...]]:
    """Return a render with what its charts hold beside each, and the Secrets that were left out."""
    from mlstrata.components.upstream.selection import mirror_of
    from mlstrata.operations.render.charts import inside

    found = inside(yaml.safe_load(rendered.files[CHARTS]), mirror_of(deployment.spec))
    files = {
        f"{component}/{chart}/{_file(one)}": _text(one)
        for (component, chart), objects in found.objects.items()
        for one in objects
    }
    more = sum(map(len, found.objects.values()))
    both = replace(rendered, files=dict(sorted({**rendered.files, **files}.items())), objects=rendered.objects + more)
    return both, found.secrets


def manifests(result: pulumi_embedded.Result) -> Rendered:
    """Return a plan as files, the same ones for the same plan.

    Raises:
        Failed: an object holds a secret, or something that only the deployment knows.
    """
    graph = {one.urn: one for one in result.graph}
    tops = folders(graph)
    objects: dict[str, list[dict[str, Any]]] = {}
    charts: list[dict[str, Any]] = []
    for one in result.graph:
        if one.type == _RELEASE or one.type in _REMOTE:
            charts.append({"component": tops[one.urn], **_chart(one)})
        elif one.type.startswith(_KUBERNETES):
            objects.setdefault(tops[one.urn], []).append(_manifest(one))
    files: dict[str, str] = {}
    for component, found in objects.items():
        files |= {f"{component}/{_file(one)}": _text(one) for one in found}
    references = result.outputs.get("references", [])
    files[CHARTS] = _text(sorted(charts, key=lambda one: (one["component"], one["name"])))
    files[SECRETS] = _text([_plain(one, "references") for one in references])
    files[COMPONENTS] = _text(ordered(graph, set(objects) | {one["component"] for one in charts}))
    return Rendered(dict(sorted(files.items())), sum(map(len, objects.values())), len(charts))


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


def folders(graph: Mapping[str, pulumi_embedded.GraphResource]) -> dict[str, str]:
    """Return the folder of each resource, by its URN: the component right below the stack that it is beneath."""
    found = {}
    for urn, own in graph.items():
        one = own
        while one.parent in graph and graph[one.parent].type.startswith(_COMPONENT):
            one = graph[one.parent]
        # What is in a namespace of operators is often called as it is, and comes after it.
        found[urn] = f"{one.name}-namespace" if one.type == _NAMESPACE else one.name
    return found


def ordered(graph: Mapping[str, pulumi_embedded.GraphResource], wanted: set[str]) -> list[dict[str, Any]]:
    """Return folders with what each comes after, in an order in which none comes before what it needs.

    Raises:
        Failed: some need objects of each other, so that no order of whole folders exists.
    """
    tops = folders(graph)
    after: dict[str, set[str]] = {top: set() for top in wanted}
    for urn, one in graph.items():
        needs = {tops[other] for other in one.dependencies if other in tops} - {tops[urn]}
        after.get(tops[urn], set()).update(needs & wanted)
    done: list[str] = []
    while left := [top for top in sorted(wanted) if top not in done]:
        ready = [top for top in left if after[top] <= set(done)]
        if not ready:
            raise Failed(
                f"{COMPONENTS}: no order of {', '.join(left)}: some of them need objects of each other; "
                "declare what both need in a component of its own"
            )
        done += ready
    return [{"component": top, "after": sorted(after[top])} for top in done]


def _file(manifest: Mapping[str, Any]) -> str:
    """Return an object's file: what others need comes first, and a new object moves no other."""
    kind, metadata = manifest["kind"], manifest["metadata"]
    first = _FIRST.index(kind) if kind in _FIRST else len(_FIRST)
    where = f"{metadata['namespace']}." if "namespace" in metadata else ""
    return f"{first}-{kind.lower()}-{where}{metadata['name']}.yaml"


def _manifest(one: pulumi_embedded.GraphResource) -> dict[str, Any]:
    plain = {key: _plain(value, f"{one.name}.{key}") for key, value in one.inputs.items() if key != "__provider"}
    head = {key: plain.pop(key) for key in ("apiVersion", "kind", "metadata")}
    if one.options.get("retain_on_delete"):
        metadata = head["metadata"]
        said = {key: value for key, value in metadata.get("annotations", {}).items() if not key.startswith(_PULUMI)}
        head["metadata"] = {**metadata, "annotations": dict(sorted({**said, **STAYS}.items()))}
    return {**head, **dict(sorted(plain.items()))}


def _chart(one: pulumi_embedded.GraphResource) -> dict[str, Any]:
    given = {key: _plain(value, f"{one.name}.{key}") for key, value in one.inputs.items()}
    kept = bool(one.options.get("retain_on_delete"))
    if one.type in _REMOTE:
        kind = "kustomization" if "kustomize" in one.type else "manifest"
        return {"name": one.name, "kind": kind, "address": given[_REMOTE[one.type]], "stays": kept}
    return {
        "name": one.name,
        "kind": "chart",
        "chart": given["chart"],
        "repository": given.get("repositoryOpts", {}).get("repo", ""),
        "version": given["version"],
        "namespace": given["namespace"],
        "skipCrds": bool(given.get("skipCrds", False)),
        "values": given.get("values", {}),
        "stays": kept,
    }


def _plain(value: Any, where: str) -> Any:
    """Return a value as YAML has it; numbers that are whole are whole again.

    Raises:
        Failed: it is a secret, or known only after the deployment.
    """
    import pulumi_embedded

    if isinstance(value, pulumi_embedded.Secret):
        raise Failed(f"{where}: holds a secret, which has no place in a file; refer to one in the cluster")
    if value is pulumi_embedded.UNKNOWN:
        raise Failed(f"{where}: is known only after a deployment; manifests must not need one")
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, f"{where}.{key}") for key, inner in sorted(value.items())}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner, f"{where}[{at}]") for at, inner in enumerate(value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _lines(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Write a text of several lines as such: a request inside a ConfigMap stays readable in a diff."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper: Any = type("_Dumper", (yaml.SafeDumper,), {})
_Dumper.add_representer(str, _lines)


def _text(document: object) -> str:
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000, default_flow_style=False))
