"""What claims of volumes wait for."""

from __future__ import annotations

from collections.abc import Iterator

from mlstrata.operations.pending.seen import Json, Seen, Wait

DEFAULT = "storageclass.kubernetes.io/is-default-class"
_FIRST_CONSUMER = "WaitForFirstConsumer"
_MAKES_NONE = "kubernetes.io/no-provisioner"
_CHOSEN = "volume.kubernetes.io/selected-node"


def of_claims(seen: Seen) -> Iterator[Wait]:
    """Yield what each claim without a volume waits for; one that waits for its first pod is as it should be."""
    for claim in seen.claims:
        if claim.get("status", {}).get("phase") != "Pending" or claim["metadata"].get("deletionTimestamp"):
            continue
        reason, passing = _of(claim, seen)
        if reason:
            yield Wait(claim["metadata"]["namespace"], "claim", claim["metadata"]["name"], reason, passing=passing)


def _of(claim: Json, seen: Seen) -> tuple[str, bool]:
    spec = claim["spec"]
    size = (spec.get("resources") or {}).get("requests", {}).get("storage", "a volume")
    failed = seen.said("PersistentVolumeClaim", claim, "ProvisioningFailed", "VolumeMismatch", "ClaimLost")
    name = spec.get("storageClassName")
    if not name:
        has_default = any(_is_default(one) for one in seen.classes or ())
        lacks = "" if has_default or name == "" else ", and the cluster has no default one"
        return f"no volume: it names no storage class{lacks}; no volume without a class is free for {size}", False
    if seen.classes is None:
        return f"no volume of class '{name}'{f': {failed}' if failed else ''}", not failed
    chosen = next((one for one in seen.classes if one["metadata"]["name"] == name), None)
    if chosen is None:
        there = ", ".join(sorted(one["metadata"]["name"] for one in seen.classes)) or "none"
        return f"no storage class '{name}'; the cluster has {there}: target.storage_class names the one to use", False
    # That nothing provisions for a class without a provisioner is said as a failure too.
    if failed and chosen.get("provisioner") != _MAKES_NONE:
        return f"no volume: {failed}", False
    return _of_class(claim, chosen, f"{size} of class '{name}'")


def _of_class(claim: Json, chosen: Json, what: str) -> tuple[str, bool]:
    makes_none = chosen.get("provisioner") == _MAKES_NONE
    if chosen.get("volumeBindingMode") == _FIRST_CONSUMER:
        # Until a node is chosen for its pod nothing is to be made; whether one is, the pod says.
        if makes_none or _CHOSEN not in (claim["metadata"].get("annotations") or {}):
            return "", False
    elif makes_none:
        return f"no volume: no {what} is free, and nothing makes one", False
    return f"no volume yet: {chosen.get('provisioner')} is to make {what}", True


def _is_default(one: Json) -> bool:
    return (one["metadata"].get("annotations") or {}).get(DEFAULT) == "true"
