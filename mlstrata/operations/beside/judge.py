"""Whether a plan and what a cluster has already go together; each reason why not is a line with its fix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlstrata.components.upstream.bill import PIECES
from mlstrata.components.upstream.package import Scope, UpstreamPackage
from mlstrata.components.upstream.selection import Selection, fitting
from mlstrata.operations.beside.there import Running, There

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.environments import EnvironmentSpec

LABEL = "mlstrata.io/environment"
_BUNDLE = "gateway.networking.k8s.io/bundle-version"
"""Where the Gateway API's definitions, which have no operator of their own, say their version."""
_OURS = "pulumi-"
"""How the field managers of what Pulumi made begin: a definition that outlived its stack is taken up again."""
_OWNERS = (
    "app.kubernetes.io/managed-by",
    "argocd.argoproj.io/instance",
    "argocd.argoproj.io/tracking-id",
    "kustomize.toolkit.fluxcd.io/name",
    "meta.helm.sh/release-name",
)
"""Labels and annotations by which tools mark what is theirs."""
_COMMON = frozenset({"operator", "gateway"})
"""Names that images of several projects have."""


@dataclass(frozen=True)
class Plan:
    """What of a plan concerns its cluster.

    Attributes:
        environment: Its name.
        selection: The upstream pieces that it takes.
        namespaces: Those that it makes.
        kinds: The kinds of the objects that it makes, as (group, version, kind).
        signature_policy: The policy on signatures that it relies on; empty: none.
    """

    environment: str
    selection: Selection
    namespaces: tuple[str, ...]
    kinds: frozenset[tuple[str, str, str]]
    signature_policy: str = ""


def plan_of(spec: EnvironmentSpec, selection: Selection, graph: Sequence[pulumi_embedded.GraphResource]) -> Plan:
    """Return what of an engine's plan concerns its cluster."""
    spaces, kinds = [], set()
    for one in graph:
        version, kind = one.inputs.get("apiVersion"), one.inputs.get("kind")
        if not one.type.startswith("kubernetes:") or not isinstance(version, str) or not isinstance(kind, str):
            continue
        group, _, number = version.rpartition("/")
        kinds.add((group, number, kind))
        if (group, kind) == ("", "Namespace"):
            spaces.append(str(one.inputs["metadata"]["name"]))
    relied_on = spec.images.signature_policy or ""
    return Plan(spec.name, selection, tuple(sorted(spaces)), frozenset(kinds), relied_on)


def problems(plan: Plan, there: There) -> Iterator[str]:
    """Yield each reason why a plan does not fit its cluster, with the fix."""
    if plan.signature_policy and plan.signature_policy not in there.admitting:
        has = f"; it has {', '.join(sorted(there.admitting))}" if there.admitting else ""
        yield (
            f"images.signature_policy: got {plan.signature_policy!r}, and the cluster has no policy of that name that "
            f"looks at signatures (Kyverno, sigstore){has}"
        )
    told: set[str] = set()
    for one in plan.selection.taken:
        if one.piece.scope is Scope.CLUSTER:
            for problem in _piece(one.piece, plan, there):
                told.add(one.piece.namespace)
                yield problem
    brings = {one.piece.namespace: one.piece for one in reversed(plan.selection.taken) if one.piece.sources}
    for name, found in there.namespaces.items():
        if name not in told and (owner := _other_owner(name, found, plan, there)):
            yield (
                f"namespace {name}: it is there already and {owner}; it would be labelled and closed. "
                f"{_elsewhere(brings.get(name))}, or, if it is this environment's, say so: "
                f"`kubectl label namespace {name} {LABEL}={plan.environment}`"
            )


def _elsewhere(piece: UpstreamPackage | None) -> str:
    if piece is None:
        return "Choose another target.namespace (or team or system)"
    if piece.fits:
        return f"If {piece.name} is there, write upstream: [{{name: {piece.name}, lifecycle: existing}}]"
    return f"It is the namespace of {piece.name}: remove what is there, or take another cluster"


def _other_owner(name: str, found: Mapping[str, Any], plan: Plan, there: There) -> str:
    """Return how a namespace is somebody else's; empty: it is ours, or an empty one that was made for us."""
    metadata = found["metadata"]
    labels = metadata.get("labels") or {}
    if LABEL in labels:
        return "" if labels[LABEL] == plan.environment else f"belongs to the environment {labels[LABEL]!r}"
    marks = {**labels, **(metadata.get("annotations") or {})}
    if mark := next((one for one in _OWNERS if one in marks), ""):
        return f"is managed by others ({mark}: {marks[mark]})"
    return f"has {there.lived_in[name]} in it" if name in there.lived_in else ""


def _piece(piece: UpstreamPackage, plan: Plan, there: There) -> Iterator[str]:
    found = [one for one in there.running if _runs(PIECES[piece.name], one)]
    if piece.exists:
        yield from _existing(piece, found, there)
    else:
        yield from _managed(piece, found, plan, there)
    if piece.definitions_exist:
        yield from _served(piece, plan, there)


def _runs(piece: UpstreamPackage, one: Running) -> bool:
    """Say whether a workload runs a piece's operator, from wherever its image comes."""
    if not piece.images or not (piece.sources or piece.crd_source):
        return False
    wanted = piece.images[0].repository.split("/")[1:]
    has = one.repository.split("/")
    return has[-len(wanted) :] == wanted or (has[-1] == wanted[-1] and wanted[-1] not in _COMMON)


def _existing(piece: UpstreamPackage, found: Sequence[Running], there: There) -> Iterator[str]:
    whole = PIECES[piece.name]
    if not whole.images:
        version = next(
            (one["metadata"].get("annotations", {}).get(_BUNDLE, "") for name, one in there.definitions.items()
             if name in piece.crds), "",
        )  # fmt: skip
        if version and not fitting(whole, version):
            yield f"upstream: {piece.name} is 'existing' and there at {version}; {whole.fits} fits: upgrade it there"
        return
    if not found:
        yield (
            f"upstream: {piece.name} is 'existing', and nothing in the cluster runs it (an image …/"
            f"{whole.images[0].repository.rpartition('/')[2]}); install it there, or remove `lifecycle: existing`"
        )
        return
    one = next((one for one in found if one.namespace == piece.namespace), None)
    if one is None:
        spaces = ", ".join(sorted({one.namespace for one in found}))
        yield (
            f"upstream: {piece.name} is 'existing' in the namespace {piece.namespace}, and runs in {spaces}; write "
            f"{{name: {piece.name}, lifecycle: existing, namespace: {found[0].namespace}}}"
        )
        return
    if one.version and not fitting(whole, one.version):
        yield f"upstream: {piece.name} runs at {one.version} in {one.namespace}; {whole.fits} fits: upgrade it there"


def _managed(piece: UpstreamPackage, found: Sequence[Running], plan: Plan, there: There) -> Iterator[str]:
    owned = {
        name
        for name, space in there.namespaces.items()
        if (space["metadata"].get("labels") or {}).get(LABEL) == plan.environment
    }
    others = [one for one in found if one.namespace not in owned]
    if others:
        one = others[0]
        yield (
            f"upstream: the cluster has {piece.name} already ({one.version or one.image} in {one.namespace}), and can "
            f"have one; {_instead(piece, one)}"
        )
    elif not piece.definitions_exist and (name := _foreign(piece, there)):
        fix = (
            f"write upstream: [{{name: {piece.name}, definitions: existing}}], or remove them first"
            if piece.crd_source
            else "remove them first, with all objects of their kinds"
        )
        yield f"upstream: the cluster has definitions of {piece.name} that others installed ({name}); {fix}"


def _instead(piece: UpstreamPackage, there: Running) -> str:
    if not piece.fits:
        what = ", ".join(sorted(piece.capabilities)) or piece.name
        return f"this environment needs one of its own: switch {what} off, or take another cluster"
    if there.version and not fitting(piece, there.version):
        return f"{piece.fits} fits: upgrade it there, then write {{name: {piece.name}, lifecycle: existing}}"
    where = f", namespace: {there.namespace}" if there.namespace != piece.namespace else ""
    return f"write upstream: [{{name: {piece.name}, lifecycle: existing{where}}}]"


def _foreign(piece: UpstreamPackage, there: There) -> str:
    """Return a definition of a piece that is there and that Pulumi has not made; empty: there is none."""
    for name in piece.crds:
        fields = there.definitions.get(name, {}).get("metadata", {}).get("managedFields") or ()
        managers = {str(one.get("manager", "")) for one in fields if not one.get("subresource")}
        if managers and not any(one.startswith(_OURS) for one in managers):
            return f"{name}, by {', '.join(sorted(managers))}"
    return ""


def _served(piece: UpstreamPackage, plan: Plan, there: There) -> Iterator[str]:
    groups = {name.partition(".")[2] for name in piece.crds}
    served = {
        (one["spec"]["group"], version["name"], one["spec"]["names"]["kind"])
        for name, one in there.definitions.items()
        if name in piece.crds
        for version in one["spec"]["versions"]
        if version.get("served")
    }
    for group, version, kind in sorted(kind for kind in plan.kinds if kind[0] in groups):
        if (group, version, kind) not in served:
            has = ", ".join(sorted(number for one, number, named in served if (one, named) == (group, kind)))
            what = f"serves it as {has} only" if has else "has none"
            yield (
                f"upstream: {piece.name}'s definitions are 'existing'; the environment has {kind} of "
                f"{group}/{version}, and the cluster {what}: upgrade {piece.name} there"
            )
