"""A thread pool whose threads die with the process, so a second Ctrl-C really stops it."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

Job = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def heed_signals() -> None:
    """Run the handlers of signals that have come, where this is the thread that runs them.

    The interpreter does so by itself between two instructions. Once, on a machine with ten times the work that it has
    processors for, a second interruption did not end a run that waited; why is not known. Asking costs nothing.
    """
    if threading.current_thread() is threading.main_thread():
        signal.pthread_kill(threading.get_ident(), 0)  # 0 sends nothing; the call looks for what has come


class DaemonPool(ThreadPoolExecutor):
    """Runs jobs in daemon threads, made when needed. A subclass because asyncio insists on that type.

    Args:
        size: most threads at one time.
    """

    def __init__(self, size: int) -> None:
        super().__init__(max_workers=1)
        self._size = size
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._crew = 0
        self._idle = 0
        self._guard = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: object, **kwargs: object) -> Future[Any]:
        """Queue a job; starts a thread when none is idle."""
        future: Future[Any] = Future()
        with self._guard:
            if self._idle > 0:
                self._idle -= 1
            elif self._crew < self._size:
                self._crew += 1
                threading.Thread(target=self._work, name=f"engine-{self._crew}", daemon=True).start()
            else:
                self._idle -= 1  # a debt: the next thread to come free owes itself to this job
        self._jobs.put((future, fn, args, kwargs))
        return future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, fn, args, kwargs = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(fn(*args, **kwargs))
                except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                    future.set_exception(error)
            del job, future, fn, args, kwargs
            with self._guard:
                self._idle += 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - Executor's
        """Let idle threads end; running ones are not waited for."""
        with self._guard:
            crew = self._crew
        for _ in range(crew):
            self._jobs.put(None)
