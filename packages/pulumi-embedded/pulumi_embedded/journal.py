"""The snapshot while it changes, and the one thread that writes it.

Steps run in many threads. Each records its start (a pending operation) before it touches the world and its end
after, and goes on only when that is on disk. One writer takes whatever gathered meanwhile in a single write, so
a thousand steps cost some dozens of writes and none is lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType

from pulumi_embedded.errors import EngineError
from pulumi_embedded.integrity import problems
from pulumi_embedded.state import Operation, ResourceState, Snapshot

# After a write the writer rests half as long: more steps share the next one of a large stack.
_REST = 0.5

Write = Callable[[list[ResourceState], list[Operation]], None]


class Journal:
    """Holds the resources that are done, in order of completion, then what is left of the old snapshot.

    Args:
        snapshot: the state the run starts from.
        write: writes a consistent snapshot; None for a preview, which writes nothing.
    """

    def __init__(self, snapshot: Snapshot, write: Write | None) -> None:
        self.lock = threading.RLock()
        self._base = list(snapshot.resources)
        self._gone: set[int] = set()
        self._done: dict[int, ResourceState] = {}
        self._operations: dict[int, Operation] = {id(op): op for op in snapshot.operations}
        self._write = write
        self._changed = threading.Condition(self.lock)
        self._version = self._wanted = self._written = 0
        self._error: EngineError | None = None
        self._closing = False
        self._writer: threading.Thread | None = None

    def __enter__(self) -> Journal:
        if self._write is not None:
            self._writer = threading.Thread(target=self._run, name="engine-journal", daemon=True)
            self._writer.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        with self.lock:
            self._closing = True
            self._changed.notify_all()
        if self._writer is not None:
            self._writer.join()

    def resources(self) -> list[ResourceState]:
        """Every resource as it stands: done ones, the rest of the old ones, those to be deleted last."""
        with self.lock:
            rest = [state for state in self._base if id(state) not in self._gone]
            found = [*self._done.values(), *rest]
        return [state for state in found if not state.delete] + [state for state in found if state.delete]

    def operations(self) -> list[Operation]:
        """What is under way, or was when an earlier run died."""
        with self.lock:
            return list(self._operations.values())

    def rename(self, renamed: dict[str, str], waiting: Iterable[ResourceState]) -> None:
        """Follow renamed URNs in the old states that wait for their turn."""
        with self.lock:
            for state in waiting:
                state.rename(renamed)

    def begin(self, operation: Operation) -> None:
        """Record that a step starts; returns when that is on disk.

        Raises:
            StateWriteFailed: it is not; the step must not run.
        """
        with self.lock:
            self._operations[id(operation)] = operation
            version = self._touch()
        try:
            self.wait(version)
        except EngineError:
            with self.lock:
                self._operations.pop(id(operation), None)
            raise

    def end(
        self,
        *operations: Operation,
        add: ResourceState | None = None,
        drop: ResourceState | None = None,
        retire: ResourceState | None = None,
        wait: bool = True,
    ) -> None:
        """Record that a step ended: operations over, a new state, an old one gone or (retire) to be deleted later.

        Raises:
            StateWriteFailed: it is not on disk; the operation stays pending there.
        """
        with self.lock:
            for operation in operations:
                self._operations.pop(id(operation), None)
            if drop is not None:
                self._gone.add(id(drop))
                self._done.pop(id(drop), None)
            if retire is not None:
                retire.change(delete=True)
            if add is not None:
                self._done[id(add)] = add
            version = self._touch()
        if wait:
            self.wait(version)

    def adopt(self, operation: Operation, state: ResourceState) -> None:
        """Turn an operation of a dead run into a resource, last of the old ones: all it refers to is before it.

        Raises:
            StateWriteFailed: it is not on disk.
        """
        with self.lock:
            self._operations.pop(id(operation), None)
            self._base.append(state)
            version = self._touch()
        self.wait(version)

    def touch(self) -> None:
        """Say that a state was changed in place; written with the next write or at the end."""
        with self.lock:
            self._touch()

    def flush(self) -> None:
        """Return when everything recorded so far is on disk.

        Raises:
            StateWriteFailed: it is not.
        """
        with self.lock:
            version = self._version
        self.wait(version)

    def _touch(self) -> int:
        self._version += 1
        return self._version

    def wait(self, version: int) -> None:
        """Wait for a version to be on disk."""
        if self._write is None:
            return
        with self.lock:
            self._wanted = max(self._wanted, version)
            self._changed.notify_all()
            while self._written < version and self._error is None:
                self._changed.wait()
            if self._error is not None:
                raise self._error

    @property
    def error(self) -> EngineError | None:
        """Why the last write failed, if it did."""
        return self._error

    def _run(self) -> None:
        pause = 0.0
        while True:
            time.sleep(pause)
            with self.lock:
                while self._written >= self._wanted and not self._closing:
                    self._changed.wait()
                if self._written >= self._version or self._error is not None:
                    return
                version = self._version
                resources, operations = self.resources(), self.operations()
            started = time.monotonic()
            error = self._attempt(resources, operations)
            pause = _REST * (time.monotonic() - started)
            with self.lock:
                if error is None:
                    self._written = version
                else:
                    self._error = error
                self._changed.notify_all()

    def _attempt(self, resources: list[ResourceState], operations: list[Operation]) -> EngineError | None:
        assert self._write is not None  # noqa: S101 - narrows the type: only started when there is one
        broken = problems(resources, operations)
        if broken:
            return EngineError(f"refusing to write a broken snapshot, please report this: {'; '.join(broken[:3])}")
        try:
            self._write(resources, operations)
        except EngineError as error:
            return error
        except Exception as defect:  # noqa: BLE001 - steps wait for this thread: it must answer, whatever happens
            unexpected = EngineError(f"unexpected {type(defect).__name__} while writing the state: {defect}")
            unexpected.__cause__ = defect
            return unexpected
        return None
