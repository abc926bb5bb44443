"""What a render is deployed by, piece for piece: the objects of a component, a chart, or definitions from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from mlstrata.operations.errors import Failed
from mlstrata.operations.render.files import UPSTREAM
from mlstrata.services.serving.cluster import DIGEST, RECORD, VERSION

if TYPE_CHECKING:
    import pulumi_embedded

CHART = "kubernetes:helm.sh/v3:Release"
REMOTE = {"kubernetes:kustomize/v2:Directory": "directory", "kubernetes:yaml/v2:ConfigFile": "file"}
"""Types of what is fetched from an address, each with the field that holds it."""
LABEL = 63
"""Characters of an Application's name: Argo CD labels what it deploys with it."""
_DIGEST = 8


@dataclass(frozen=True)
class Ignored:
    """Fields of an object that something else writes later: a release, a switch, an operator.

    Attributes:
        group: API group of the object; empty: Kubernetes' core.
        kind: Its kind.
        namespace: Where it is.
        name: Its name.
        pointers: The fields, as JSON pointers.
    """

    group: str
    kind: str
    namespace: str
    name: str
    pointers: tuple[str, ...]

    @property
    def target(self) -> dict[str, str]:
        """Return what says which object it is, as both tools write it: group, kind, namespace and name."""
        said = {"group": self.group, "kind": self.kind, "namespace": self.namespace, "name": self.name}
        return {key: value for key, value in said.items() if value}


@dataclass(frozen=True)
class Unit:
    """What one Application of Argo CD, or one Kustomization of Flux, deploys.

    Attributes:
        name: Its name within the environment.
        after: Names of those that must be there, and healthy, before it.
        folder: Its folder below the render; empty: it is a chart.
        chart: The entry of `charts.yaml` that it installs; None: it is a folder of objects.
        stays: Nothing of it is pruned: it brings definitions, and all objects of their kinds would go with them.
        ignored: What other things write into its objects.
    """

    name: str
    after: tuple[str, ...]
    folder: str = ""
    chart: Mapping[str, Any] | None = None
    stays: bool = False
    ignored: tuple[Ignored, ...] = ()


class Tool(Protocol):
    """What deploys a render from a repository."""

    def files(self, environment: str, units: Sequence[Unit]) -> Mapping[str, Sequence[Any]]:
        """Return the tool's own files, each with its documents."""


def units_of(
    graph: Sequence[pulumi_embedded.GraphResource], tops: Mapping[str, str], charts: Sequence[Mapping[str, Any]]
) -> tuple[Unit, ...]:
    """Return what an environment is deployed by, in the order of the names.

    Args:
        graph: Its resources.
        tops: The folder of each, by its URN.
        charts: What is installed from elsewhere, as a render lists it.
    """
    listed = {one["name"]: one for one in charts}
    held = {tops[one.urn] for one in graph if _object(one)}
    of = {one.urn: name for one in graph if (name := _unit(one, tops, held))}
    # Whatever waits for a component waits for all that is beneath it.
    beneath: dict[str, set[str]] = {}
    parents = {one.urn: one.parent or "" for one in graph}
    for urn, name in of.items():
        above = urn
        while above in parents:
            beneath.setdefault(above, set()).add(name)
            above = parents[above]
    after: dict[str, set[str]] = {}
    ignored: dict[str, list[Ignored]] = {}
    charted: dict[str, Mapping[str, Any]] = {}
    for one in graph:
        if (unit := of.get(one.urn)) is None:
            continue
        needed = {other for urn in one.dependencies for other in beneath.get(urn, ())}
        after.setdefault(unit, set()).update(needed - {unit})
        if not _object(one):
            charted[unit] = listed[one.name]
        elif pointers := _written_later(one):
            ignored.setdefault(unit, []).append(_ignored(one.inputs, pointers))
    return tuple(_made(name, sorted(after[name]), charted.get(name), ignored.get(name, [])) for name in sorted(after))


def _made(name: str, after: Sequence[str], chart: Mapping[str, Any] | None, ignored: Sequence[Ignored]) -> Unit:
    if chart is None:
        return Unit(name, tuple(after), folder=name, ignored=tuple(ignored))
    folder = "" if chart["kind"] == "chart" else f"{UPSTREAM}/{chart['name']}"
    return Unit(name, tuple(after), folder, chart, stays=chart["stays"])


def _object(one: pulumi_embedded.GraphResource) -> bool:
    return one.type.startswith("kubernetes:") and one.type != CHART and one.type not in REMOTE


def _unit(one: pulumi_embedded.GraphResource, tops: Mapping[str, str], held: set[str]) -> str:
    """Return the unit that a resource is of; empty: it is no object and no chart."""
    if _object(one):
        return tops[one.urn]
    if one.type == CHART or one.type in REMOTE:
        return f"{one.name}-chart" if one.name in held else one.name
    return ""


def _written_later(one: pulumi_embedded.GraphResource) -> tuple[str, ...]:
    """Return the fields of an object that something else writes, as JSON pointers: a release, a switch, an operator."""
    fields = tuple(f"/{field.replace('.', '/')}" for field in one.options.get("ignore_changes") or ())
    kind, labels = one.inputs.get("kind"), one.inputs.get("metadata", {}).get("labels", {})
    if kind == "SeldonDeployment":
        fields += (_RECORDED, *(f"/spec/annotations/{_escaped(key)}" for key in (VERSION, DIGEST)))
    if kind == "CronJob" and labels.get("mlstrata.io/part") == "scoring":
        fields += (_RECORDED,)
    return fields


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


_RECORDED = f"/metadata/annotations/{_escaped(RECORD)}"


def _ignored(inputs: Mapping[str, Any], pointers: tuple[str, ...]) -> Ignored:
    metadata = inputs["metadata"]
    group = str(inputs["apiVersion"]).rpartition("/")[0]
    return Ignored(group, str(inputs["kind"]), metadata.get("namespace", ""), metadata["name"], pointers)


def waves(units: Sequence[Unit]) -> dict[str, int]:
    """Return the wave of each unit: one above the highest of what it comes after.

    Raises:
        Failed: some come after each other.
    """
    after = {one.name: one.after for one in units}
    found: dict[str, int] = {}
    try:
        for name in TopologicalSorter(after).static_order():
            found[name] = max((found[one] + 1 for one in after[name]), default=0)
    except CycleError as error:
        circle = ", ".join(sorted(set(error.args[1])))
        raise Failed(f"no order of {circle}: they need objects of each other") from None
    return found


def named(environment: str, unit: str) -> str:
    """Return the name of a unit on a cluster that several environments may share; a long one ends in its digest."""
    whole = f"{environment}-{unit}"
    if len(whole) <= LABEL:
        return whole
    return f"{whole[: LABEL - _DIGEST - 1].rstrip('-')}-{sha256(whole.encode()).hexdigest()[:_DIGEST]}"
