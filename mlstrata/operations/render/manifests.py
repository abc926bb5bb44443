"""An environment as plain Kubernetes manifests, for whoever deploys with Argo CD or Flux."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import Failed
from mlstrata.operations.render.files import KUSTOMIZATION, kustomization, kustomizations, text_of, write
from mlstrata.operations.render.quantities import normal
from mlstrata.operations.render.units import CHART, REMOTE, Tool, Unit, units_of

if TYPE_CHECKING:
    import pulumi_embedded

_KUBERNETES, _COMPONENT, _PULUMI = "kubernetes:", "mlstrata:", "pulumi.com/"

_NAMESPACE, _SYSTEM = "mlstrata:platform:OperatorNamespace", "mlstrata:governance:AISystem"

CHARTS, SECRETS, COMPONENTS = "charts.yaml", "secrets.yaml", "components.yaml"


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
        units: What it is deployed by, piece for piece.
    """

    files: Mapping[str, str]
    objects: int
    charts: int
    units: tuple[Unit, ...] = ()


def render(
    deployment: Deployment, folder: Path, *, charts: bool = False, tool: Tool | None = None
) -> tuple[Rendered, tuple[str, ...]]:
    """Write an environment's manifests into a folder, in place of what an earlier render wrote there.

    Args:
        deployment: The environment.
        folder: An empty folder, a new one, or an earlier render.
        charts: Render the charts in the environment's mirror too, with helm.
        tool: What deploys it from a repository; None: whoever applies the files.

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
    files = dict(rendered.files)
    if tool is not None:
        files |= {
            name: "---\n".join(map(text_of, found))
            for name, found in tool.files(deployment.spec.name, rendered.units).items()
        }
    rendered = replace(rendered, files=dict(sorted({**files, **kustomizations(files)}.items())))
    write(folder, rendered.files)
    return rendered, secrets


def _with_charts(rendered: Rendered, deployment: Deployment) -> tuple[Rendered, tuple[str, ...]]:
    """Return a render with what its charts hold beside each, and the Secrets that were left out."""
    from mlstrata.components.upstream.selection import mirror_of
    from mlstrata.operations.render.charts import inside

    found = inside(yaml.safe_load(rendered.files[CHARTS]), mirror_of(deployment.spec))
    files = {
        f"{component}/{chart}/{_file(one)}": text_of(one)
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
        if one.type == CHART or one.type in REMOTE:
            charts.append({"component": tops[one.urn], **_chart(one)})
        elif one.type.startswith(_KUBERNETES):
            objects.setdefault(tops[one.urn], []).append(_manifest(one))
    files: dict[str, str] = {}
    for component, found in objects.items():
        files |= {f"{component}/{_file(one)}": text_of(one) for one in found}
    references = result.outputs.get("references", [])
    files[CHARTS] = text_of(sorted(charts, key=lambda one: (one["component"], one["name"])))
    files[SECRETS] = text_of([_plain(one, "references") for one in references])
    files[COMPONENTS] = text_of(ordered(graph, set(objects) | {one["component"] for one in charts}))
    units = units_of(result.graph, tops, charts)
    remote = {
        f"{one.folder}/{KUSTOMIZATION}": text_of(kustomization([one.chart["address"]]))
        for one in units
        if one.chart and one.folder
    }
    return Rendered(dict(sorted({**files, **remote}.items())), sum(map(len, objects.values())), len(charts), units)


def folders(graph: Mapping[str, pulumi_embedded.GraphResource]) -> dict[str, str]:
    """Return the folder of each resource, by its URN: the component right below the stack that it is beneath."""
    found = {}
    for urn, own in graph.items():
        one = own
        while one.parent in graph and graph[one.parent].type.startswith(_COMPONENT):
            one = graph[one.parent]
        # What is in a namespace of operators is often called as it is, and comes after it; a system may be called as
        # a part of the platform is.
        found[urn] = {_NAMESPACE: f"{one.name}-namespace", _SYSTEM: f"system-{one.name}"}.get(one.type, one.name)
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
    return normal({**head, **dict(sorted(plain.items()))})


def _chart(one: pulumi_embedded.GraphResource) -> dict[str, Any]:
    given = {key: _plain(value, f"{one.name}.{key}") for key, value in one.inputs.items()}
    kept = bool(one.options.get("retain_on_delete"))
    if one.type in REMOTE:
        kind = "kustomization" if "kustomize" in one.type else "manifest"
        return {"name": one.name, "kind": kind, "address": given[REMOTE[one.type]], "stays": kept}
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
