"""Which pieces an environment takes, under which licences, from where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from mlstrata.components.naming import forms
from mlstrata.components.upstream import lock
from mlstrata.components.upstream.bill import AGPL, BILL, BUSL, PIECES
from mlstrata.components.upstream.image_values import Image, image_values
from mlstrata.components.upstream.mirror import Mirror, reference
from mlstrata.components.upstream.package import Change, Chart, UpstreamPackage
from mlstrata.components.upstream.runtime import RUNTIME, SERVING
from mlstrata.environments import EnvironmentSpec, Workspace
from mlstrata.environments.spec.storage import S3Storage
from mlstrata.environments.spec.upstream import Lifecycle, PinSpec
from mlstrata.environments.usage import used_capabilities

MONITORING = "kube-prometheus-stack"
"""The piece in whose namespace the environment's own Prometheus is too, unless the cluster has it already."""
# Terms that forbid some use of the unchanged software: a file must say that somebody agreed to them.
NON_FREE: Mapping[str, str] = {
    BUSL: "no production use without a contract with its owner",
    "SSPL-1.0": "offering it as a service asks for the source of everything around it",
    "Elastic-2.0": "it may not be offered to others as a service",
}
NETWORK_COPYLEFT: Mapping[str, str] = {
    AGPL: "a modified version must offer its source to its users over the network",
    "AGPL-3.0-or-later": "a modified version must offer its source to its users over the network",
}


@dataclass(frozen=True)
class Selected:
    """A piece that an environment takes.

    Attributes:
        piece: It, at the environment's version, from the environment's mirror.
        upstream: It, from upstream's own addresses.
        note: What its licence asks for, where that is more than naming it; empty otherwise.
    """

    piece: UpstreamPackage
    upstream: UpstreamPackage
    note: str


@dataclass(frozen=True)
class LeftOut:
    """A piece that is left out because its licence is denied; what is missing without it."""

    piece: UpstreamPackage
    without: str


@dataclass(frozen=True)
class Selection:
    """What an environment takes of the bill.

    Attributes:
        taken: In the bill's order, which puts what is needed first.
        left_out: Optional pieces under a denied licence.
        problems: What the file must change first, a sentence each with the fix; nothing is installed then.
    """

    taken: tuple[Selected, ...]
    left_out: tuple[LeftOut, ...]
    problems: tuple[str, ...]

    def __getitem__(self, name: str) -> UpstreamPackage:
        """Return the piece called `name`.

        Raises:
            KeyError: the environment takes no such piece.
        """
        found = next((one.piece for one in self.taken if one.piece.name == name), None)
        if found is None:
            raise KeyError(f"the environment takes no upstream piece '{name}'")
        return found

    def __contains__(self, name: object) -> bool:
        return any(one.piece.name == name for one in self.taken)


def mirror_of(spec: EnvironmentSpec) -> Mirror | None:
    """Return the environment's mirror; None: it takes pieces from upstream."""
    return Mirror(spec.mirror.registry, spec.mirror.files) if spec.mirror else None


def select(
    spec: EnvironmentSpec, capabilities: frozenset[str] | None = None, digests: Mapping[str, str] | None = None
) -> Selection:
    """Choose the pieces of an environment.

    Args:
        spec: The environment.
        capabilities: Those it really uses; None: all that it has.
        digests: Of images by full name and tag, from the lock; None: none are known.
    """
    wanted = spec.capabilities if capabilities is None else capabilities
    problems: list[str] = []
    taken: list[Selected] = []
    left_out: list[LeftOut] = []
    mirror = mirror_of(spec)
    for found in _chosen(spec, wanted, problems):
        pinned = _with_digests(found, digests or {})
        licence = pinned.licence
        if licence in spec.licences.deny and pinned.optional is not None:
            left_out.append(LeftOut(pinned, pinned.optional))
            continue
        if problem := _refused(spec, pinned):
            problems.append(problem)
        note = NON_FREE.get(licence) or NETWORK_COPYLEFT.get(licence, "")
        taken.append(Selected(mirror.piece(pinned) if mirror else _with_values(pinned, digests or {}), pinned, note))
    return Selection(tuple(taken), tuple(left_out), tuple(problems))


def selection_for(spec: EnvironmentSpec, workspace: Workspace) -> Selection:
    """Return what an environment takes: the packages that it uses, their images as its workspace has locked them.

    Raises:
        LockError: The lock of images is none.
    """
    return select(spec, used_capabilities(spec), locked(workspace))


def locked(workspace: Workspace) -> dict[str, str]:
    """Return the locked digests of a workspace, by full name and tag of the image.

    Raises:
        LockError: The lock of images is none.
    """
    return lock.read(workspace.environments / lock.NAME)


def runtime_image(spec: EnvironmentSpec, workspace: Workspace) -> str:
    """Return the image of our own services: the one that the file names; else locked, from a mirror if there is one.

    Raises:
        LockError: The lock of images is none.
    """
    return spec.images.runtime or _own(RUNTIME, spec, workspace)


def serving_image(spec: EnvironmentSpec, workspace: Workspace) -> str:
    """Return the image of pods that answer; an organisation's own of all services holds what they need as well.

    Raises:
        LockError: The lock of images is none.
    """
    return spec.images.serving or spec.images.runtime or _own(SERVING, spec, workspace)


def _own(image: Image, spec: EnvironmentSpec, workspace: Workspace) -> str:
    own, mirror = str(replace(image, digest=locked(workspace).get(reference(image)))), mirror_of(spec)
    return mirror.image(own) if mirror else own


def bill_images(selection: Selection, mirror: Mirror | None) -> list[str]:
    """Return every image of the bill: as the environment takes it, or as it would, or as the cluster has it already."""
    found: list[str] = []
    for one in BILL:
        if one.name in selection and selection[one.name].exists:
            # An operator puts images of its own into pods that it makes or changes, from wherever it came.
            there = [str(image) for image in one.images_at(selection[one.name].version)]
            found += dict.fromkeys([*there, *(mirror.image(image) if mirror else image for image in there)])
        elif one.name in selection:
            found += [str(image) for image in selection[one.name].images]
        else:
            found += [mirror.image(str(image)) if mirror else str(image) for image in one.images]
    return found


def _chosen(spec: EnvironmentSpec, wanted: frozenset[str], problems: list[str]) -> list[UpstreamPackage]:
    """Return the pieces of the target's capabilities and those that the file names, at the file's versions."""
    pins = {pin.name: (at, pin) for at, pin in enumerate(spec.upstream)}
    problems += [
        f"upstream[{at}].name: got '{name}'; allowed {', '.join(PIECES)}"
        for name, (at, _) in pins.items()
        if name not in PIECES
    ]
    chosen = []
    brought, monitoring, shared = _brought(spec), monitoring_of(spec), PIECES[MONITORING].namespace
    beside = monitoring != shared
    for one in BILL:
        if one.name in brought:
            continue
        if spec.target.kind not in one.targets or not (one.capabilities & wanted or one.name in pins):
            continue
        at, pin = pins.get(one.name, (0, PinSpec(name=one.name)))
        try:
            taken = _as_declared(one, pin)
        except ValueError as error:
            problems.append(f"upstream[{at}].{error}")
            continue
        # Beside an operator of others what is the environment's own is in a namespace of its own.
        moved = beside and one.namespace == shared and not taken.exists
        chosen.append(replace(taken, namespace=monitoring) if moved else taken)
    return chosen


def monitoring_of(spec: EnvironmentSpec) -> str:
    """Return the namespace of an environment's own Prometheus: the operator's, unless that is somebody else's."""
    shared = PIECES[MONITORING].namespace
    if not any(pin.name == MONITORING and pin.lifecycle is Lifecycle.EXISTING for pin in spec.upstream):
        return shared
    return forms.part(forms.of_platform(spec), shared)


def _as_declared(one: UpstreamPackage, pin: PinSpec) -> UpstreamPackage:
    """Return a piece as its environment's file declares it.

    Raises:
        ValueError: It cannot be taken so; the message begins with the field.
    """
    if pin.lifecycle is Lifecycle.EXISTING:
        if not one.fits:
            raise ValueError(
                f"lifecycle: got 'existing'; allowed managed: an environment needs a {one.name} of its own, as what it "
                "puts beside it cannot be another's"
            )
        if pin.version is not None and not fitting(one, pin.version):
            raise ValueError(
                f"version: got '{pin.version}'; an existing {one.name} fits at {one.fits}: upgrade it there"
            )
        return one.existing(pin.version, pin.namespace)
    there = one
    if pin.version is not None:
        try:
            there = one.at(pin.version, pin.chart)
        except ValueError as error:
            raise ValueError(f"version: got '{pin.version}', but {error} (`chart`)") from None
    if pin.definitions is not Lifecycle.EXISTING:
        return there
    if one.crd_source is None:
        raise ValueError(f"definitions: got 'existing', and {one.name} brings its own with all else; remove it")
    return replace(there, crd_source=None, definitions_exist=True)


def fitting(one: UpstreamPackage, version: str) -> bool:
    """Say whether a cluster may have a piece at a version; what is no version fits nothing."""
    try:
        return SpecifierSet(one.fits).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def _brought(spec: EnvironmentSpec) -> frozenset[str]:
    """Return the pieces in whose place the organisation or the cloud brings its own."""
    target = spec.target
    found = set()
    if target.kind == "aws" or (target.kind == "kubernetes" and target.database is not None):
        found.add("cloudnative-pg")
    if not isinstance(spec.storage, S3Storage) or spec.storage.endpoint:
        found.add("seaweedfs")
    return frozenset(found)


def _refused(spec: EnvironmentSpec, piece: UpstreamPackage) -> str | None:
    """Return why the environment may not take a piece, and what to do; None: it may."""
    licence = piece.licence
    change: Change | None = next((one for one in reversed(piece.changes) if one.licence == licence), None)
    why = change.why if change else NON_FREE.get(licence, "")
    instead = f"; or take {piece.name} {PIECES[piece.name].version}, which is {PIECES[piece.name].licence}"
    instead = instead if PIECES[piece.name].licence != licence else ""
    what = f"{piece.name} {piece.version} is under {licence}"
    if licence in spec.licences.deny:
        because = f" ({why})" if why else ""
        return f"licences.deny: {what}{because}, which is denied: move it to licences.accept if you agree{instead}"
    if licence in NON_FREE and licence not in spec.licences.accept:
        return f"licences.accept: {what} ({why}): add it there if you agree{instead}"
    return None


def _with_values(piece: UpstreamPackage, digests: Mapping[str, str]) -> UpstreamPackage:
    """Return a piece whose chart is told the images that are locked: the API server lets no other run any more."""
    helm_values = image_values(image for image in piece.images if reference(image) in digests)
    sources = tuple(replace(one, values=helm_values) if isinstance(one, Chart) else one for one in piece.sources)
    return replace(piece, sources=sources) if helm_values else piece


def _with_digests(piece: UpstreamPackage, digests: Mapping[str, str]) -> UpstreamPackage:
    def known(image: Image) -> Image:
        return replace(image, digest=digests.get(reference(image), image.digest))

    return replace(piece, images=tuple(known(image) for image in piece.images))
