"""Starts runs, a few at once, each as a job in a process group of its own; follows and cancels them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from mlstrata import worker
from mlstrata.services.runner.contract import Run, State, Step, TrainingRequest
from mlstrata.services.runner.store import INTERRUPTED, Store

GRACE = 5.0
"""Seconds between asking a job to end and ending it."""

LINE = 4 * 1024 * 1024
"""Longest line of a job, in bytes; its result holds the whole evaluation."""

JOB = tuple(worker.command("mlstrata.services.runner.job"))


class Runs:
    """The runs of one runner.

    Attributes:
        store: What is remembered of them.
    """

    def __init__(
        self,
        store: Store,
        logs: Path,
        *,
        concurrency: int = 1,
        clock: Callable[[], float] = time.time,
        job: Sequence[str] = JOB,
    ) -> None:
        self.store = store
        self._logs, self._concurrency, self._clock, self._job = logs, concurrency, clock, tuple(job)
        self._waiting: asyncio.Queue[str] = asyncio.Queue()
        self._jobs: dict[str, asyncio.subprocess.Process] = {}
        self._workers: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self) -> None:
        """Mend what a dead runner left and begin to work."""
        self._logs.mkdir(parents=True, exist_ok=True)
        for run in self.store.recover(self._clock()):
            self._waiting.put_nowait(run)
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._concurrency)]

    async def stop(self) -> None:
        """End what runs, as interrupted; what waits stays queued for the next start."""
        self._stopping = True
        await asyncio.gather(*(self._end(run, State.FAILED, INTERRUPTED) for run in list(self._jobs)))
        for task in self._workers:
            task.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def submit(self, request: TrainingRequest, trigger: str = "request", run: str = "") -> Run:
        """Queue a run; one of the identity `run` that is known already is returned as it is."""
        if run and (known := self.store.get(run)) is not None:
            return known
        run = run or uuid.uuid4().hex[:12]
        self.store.add(run, request, trigger, self._clock())
        self._waiting.put_nowait(run)
        added = self.store.get(run)
        assert added is not None  # noqa: S101 - it was added a line before
        return added

    async def cancel(self, run: str) -> bool:
        """Cancel a run that waits or runs; False when it has ended, or there is none."""
        if run in self._jobs:
            return await self._end(run, State.CANCELLED, "cancelled on request")
        return self.store.end(run, State.CANCELLED, self._clock(), error="cancelled on request")

    def log(self, run: str) -> Path:
        """Give the log file of a run."""
        return self._logs / f"{run}.log"

    async def _work(self) -> None:
        while True:
            run = await self._waiting.get()
            if not self._stopping and self.store.start(run, self._clock()):
                try:
                    await self._follow(run)
                except Exception as error:
                    # One run that cannot be followed must not end the others.
                    logging.getLogger(__name__).exception("run %s could not be followed", run)
                    self._lost(run, error)

    def _lost(self, run: str, error: Exception) -> None:
        """Remember that a run failed; where even that fails, the runner goes on with the others."""
        try:
            self.store.end(run, State.FAILED, self._clock(), error=f"the runner lost the job: {error}")
        except Exception:
            # As on a full disk: the next start of the runner marks the run as interrupted.
            logging.getLogger(__name__).exception("the end of run %s could not be recorded", run)

    async def _follow(self, run: str) -> None:
        """Run a job to its end, remembering each line it tells."""
        settings = self._logs / f"{run}.json"
        settings.write_text(self.store.request(run).model_dump_json(), encoding="utf-8")
        log = self.log(run)
        with log.open("ab") as written:
            job = await asyncio.create_subprocess_exec(
                *self._job,
                *("--settings", str(settings), "--run", run, "--log", str(log), worker.ATTACHED),
                # The job reads its input until this process is gone, and then ends with all it has started.
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=written,
                env=worker.environment(),
                start_new_session=True,
                limit=LINE,
            )
        self._jobs[run] = job
        if (asked := self.store.get(run)) is None or asked.state.ended:
            worker.kill(job.pid)  # cancelled while the job was being started
        try:
            await self._listen(run, job)
            code = await job.wait()
            self.store.end(run, State.FAILED, self._clock(), error=worker.silent(code, log))
        finally:
            worker.kill(job.pid)
            del self._jobs[run]
            settings.unlink(missing_ok=True)

    async def _listen(self, run: str, job: asyncio.subprocess.Process) -> None:
        assert job.stdout is not None  # noqa: S101 - it is a pipe
        async for line in job.stdout:
            told = worker.parsed(line) or {}
            if "steps" in told:
                self.store.plan(run, told["steps"])
            elif "step" in told:
                self.store.step(run, Step(name=told.pop("step"), **told))
            elif worker.is_last(told):
                state = State(told["state"])
                self.store.end(run, state, self._clock(), result=told["result"], error=told["error"])

    async def _end(self, run: str, state: State, error: str) -> bool:
        """End a running job and everything it has started."""
        job = self._jobs[run]
        if not self.store.end(run, state, self._clock(), error=error):
            return False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(job.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(job.wait(), GRACE)
        worker.kill(job.pid)
        return True
