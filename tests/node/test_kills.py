"""Each pod of ours is killed at random while a client outside asks: only what was on a killed pod may be lost."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass

from tests.support.cluster import Json, is_ready
from tests.support.node.client import Asked, Client
from tests.support.node.environment import ANSWERS, OPERATORS, SPACE, TEAM, TOLD
from tests.support.node.node import Node
from tests.support.node.own import Own

THREADS, EACH_S, WANTED = 4, 0.1, 5000
# What a request passes; of the others (registry, store, Envoy Gateway) it needs none.
ON_THE_WAY = (ANSWERS, f"envoy-{SPACE}")


@dataclass(frozen=True)
class Kill:
    """A pod that was killed.

    Attributes:
        pod: Its name.
        begun: When, in seconds of the monotonic clock.
        ended: When it was in service again.
    """

    pod: str
    begun: float
    ended: float

    @property
    def on_the_way(self) -> bool:
        """Whether requests pass such a pod."""
        return self.pod.startswith(ON_THE_WAY)

    def took(self, asked: Asked) -> bool:
        """Say whether a request may have been on it."""
        return self.on_the_way and asked.ended >= self.begun and asked.begun <= self.ended


def ours(node: Node | Own) -> list[Json]:
    """Return the pods of the environment, and its Envoys with what controls them."""
    return node.pods(SPACE, TEAM, OPERATORS)


def killed(node: Node | Own, pod: Json) -> Kill:
    """Kill a pod, and wait until its set is whole again: the other copies of it are there meanwhile."""
    # An earlier kill may have had it start its containers anew.
    pod = node.get("pod", pod["metadata"]["name"], pod["metadata"]["namespace"])
    (owner,) = pod["metadata"]["ownerReferences"]
    copies = len(of(node, owner))
    begun = time.monotonic()
    node.kill(pod)

    def whole() -> bool:
        now = [one for one in of(node, owner) if is_ready(one)]
        # Until the API has heard of it, the killed one is said to be ready.
        return len(now) == copies and not any(runs(one) & runs(pod) for one in now)

    node.eventually(pod["metadata"]["name"], whole)
    return Kill(pod["metadata"]["name"], begun, time.monotonic())


def of(node: Node | Own, owner: Json) -> list[Json]:
    """Return the pods of a set."""
    return [one for one in ours(node) if owner in one["metadata"]["ownerReferences"]]


def runs(pod: Json) -> set[str]:
    """Return what names the containers of a pod that run now."""
    return {one["containerID"] for one in pod["status"].get("containerStatuses", []) if one.get("containerID")}


def test_only_what_was_on_a_killed_pod_is_lost(node: Node | Own, client: Client) -> None:
    node.eventually("all pods", lambda: all(is_ready(one) for one in ours(node)))
    order = ours(node)
    assert len(order) >= 7, [one["metadata"]["name"] for one in order]
    random.Random(14).shuffle(order)  # noqa: S311 - the same order each time
    with client.asking(THREADS, EACH_S) as asked:
        kills = [killed(node, pod) for pod in order]
        node.eventually("the requests", lambda: len(asked) >= WANTED)
    counted = Counter(one.status for one in asked)
    lost = [one for one in asked if one.status != "200"]
    TOLD.append(f"of {len(asked)} predictions under {len(kills)} kills {len(lost)} lost ({dict(counted)})")
    unexplained = [one for one in lost if not any(kill.took(one) for kill in kills)]
    assert unexplained == [], (unexplained, kills)
    # A pod of the system answers nothing that it had not begun: Envoy asks the other copy.
    for kill in kills:
        if kill.pod.startswith(ON_THE_WAY[0]):
            during = [one for one in lost if kill.took(one)]
            assert len(during) <= THREADS, (kill, during)
