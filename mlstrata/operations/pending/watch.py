"""Tells what waits in a cluster while an update runs: each wait once, and again when what it waits for is another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mlstrata.clients.kubernetes import ClusterError, Forbidden

if TYPE_CHECKING:
    from mlstrata.operations.pending.look import Looking
    from mlstrata.operations.pending.seen import Wait

PAUSE_S = 2.0
"""Between two looks."""
SETTLED_S, PASSING_S = 1.5, 6.0
"""How long a wait lasts before it is told: one look later, since a pod is on no node for a moment; a volume that is
being made has a little more. With the pause and a look of a second all is told within ten seconds."""
GOES_ON = "the update goes on with what does not depend on it; once that is mended it continues, and so does a next run"


@dataclass(frozen=True)
class Told:
    """A wait that was told.

    Attributes:
        wait: It.
        seconds: Since the update began, s.
    """

    wait: Wait
    seconds: float

    def document(self) -> dict[str, Any]:
        """Return it for machines."""
        one = self.wait
        return {
            "namespace": one.namespace,
            "kind": one.kind,
            "name": one.name,
            "reason": one.reason,
            "after_seconds": round(self.seconds, 1),
        }


@dataclass
class Watch:
    """Looks again and again, in a thread of its own, for as long as its block runs.

    Attributes:
        look: Returns what waits now.
        tell: Takes a line for people.
        clock: Monotonic seconds.
        told: What was told, in order.
    """

    look: Looking
    tell: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    told: list[Told] = field(default_factory=list)
    _since: dict[tuple[object, ...], float] = field(default_factory=dict)
    _said: set[tuple[object, ...]] = field(default_factory=set)
    _ended: threading.Event = field(default_factory=threading.Event)
    _began: float = 0.0
    _thread: threading.Thread | None = None

    def __enter__(self) -> Watch:
        """Begin."""
        self._began = self.clock()
        self._thread = threading.Thread(target=self._run, name="what waits", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """End with the look that is under way."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def once(self) -> bool:
        """Look, and tell what has waited long enough; say whether to look again."""
        try:
            found = self.look()
        except Forbidden as error:
            self.tell(f"what waits in the cluster is not shown: {error}")
            return False
        except ClusterError:
            return True  # the update says so too, and a next look may succeed
        now = self.clock()
        # A name has several waits while its pods are replaced.
        seen = {(*one.key, one.topic or one.reason): one for one in found}
        self._since = {key: self._since.get(key, now) for key in seen}
        for key, one in seen.items():
            lasted = now - self._since[key]
            if lasted >= (PASSING_S if one.passing else SETTLED_S) and key not in self._said:
                self._said.add(key)
                self.tell(f"{one} ({GOES_ON})" if not self.told else str(one))
                self.told.append(Told(one, now - self._began))
        return True

    def _run(self) -> None:
        going = True
        while going and not self._ended.wait(PAUSE_S):
            try:
                going = self.once()
            except Exception as error:  # noqa: BLE001 - a defect of the watcher is none of the update
                self.tell(f"what waits in the cluster is no longer shown: {type(error).__name__}: {error}")
                going = False
