"""What pods wait for: a node, an image, a secret, a volume; and what ends again and again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mlstrata.operations.pending.room import no_room
from mlstrata.operations.pending.seen import Json, Seen, Wait, maker

_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"})
_MISSING = re.compile(r"not ?found|manifest unknown|does not exist|NAME_UNKNOWN", re.IGNORECASE)
_REFUSED = re.compile(r"unauthorized|denied|forbidden|authentication required", re.IGNORECASE)
_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*"(?:: \w+)?:? ?')
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
_MOUNTS = ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")
_CLAIM = re.compile(r"unbound immediate PersistentVolumeClaims")
_SHOWN = 240


def of_pods(seen: Seen) -> Iterator[Wait]:
    """Yield what each pod that is not under way waits for."""
    for pod in seen.pods:
        status = pod.get("status", {})
        if pod["metadata"].get("deletionTimestamp") or status.get("phase") in ("Succeeded", "Failed"):
            continue
        reason, topic = _of(pod, status, seen)
        if reason:
            yield Wait(pod["metadata"]["namespace"], "pod", maker(pod), reason, topic)


def _of(pod: Json, status: Json, seen: Seen) -> tuple[str, str]:
    if not pod["spec"].get("nodeName"):
        placed: Json = next((one for one in status.get("conditions") or () if one.get("type") == "PodScheduled"), {})
        if placed.get("reason") == "SchedulingGated":
            return f"it is held back: {placed.get('message', 'it has scheduling gates')}", ""
        said = str(placed.get("message", ""))
        if placed.get("status") != "False" or _CLAIM.search(said):
            return "", ""  # not looked at yet, or its claim says what it waits for
        return no_room(pod, said, seen)
    for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if reason := _of_container(pod, one, seen):
            return reason, ""
    return "", ""


def _of_container(pod: Json, container: Json, seen: Seen) -> str:
    waiting: Mapping[str, str] = (container.get("state") or {}).get("waiting") or {}
    why, said = waiting.get("reason", ""), waiting.get("message", "")
    if why in _IMAGE:
        return _of_image(container.get("image", ""), said, seen.said("Pod", pod, "Failed", "InspectFailed"))
    if why == "CrashLoopBackOff":
        ended = (container.get("lastState") or {}).get("terminated") or {}
        told = f": {_short(ended['message'])}" if ended.get("message") else ""
        space, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        return (
            f"{container['name']} ends again and again with code {ended.get('exitCode', 'unknown')}{told}; "
            f"kubectl logs -n {space} {name} -c {container['name']} --previous"
        )
    if why in _STARTING or not why:
        return _short(seen.said("Pod", pod, *_MOUNTS)) if why else ""
    return _short(said) or why


def _of_image(image: str, said: str, event: str) -> str:
    """Return the same words for each of the reasons that take turns while a pull is tried again."""
    told = _BACK_OFF.sub("", said) or event
    if _REFUSED.search(told):
        return f"the registry refuses {image}: {_short(told)}"
    if _MISSING.search(told):
        return f"image not found: {image}"
    return f"image cannot be pulled: {image}{f': {_short(told)}' if told else ''}"


def _short(text: str) -> str:
    text = " ".join(str(text).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
