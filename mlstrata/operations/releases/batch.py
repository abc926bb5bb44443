"""A batch system as the rollout uses it: nothing holds a version in memory, so a version is tried by a job."""

from __future__ import annotations

from pathlib import Path

from mlstrata import worker
from mlstrata.operations.releases.errors import RolloutError
from mlstrata.services.batch.settings import ScoringJob

_SECONDS = 600


class BatchProcess:
    """Tries versions in the environment that scores."""

    def __init__(self, job: ScoringJob, *, back: bool = False) -> None:
        """Try versions of the system of `job`; with `back`, one that was tried when it was released is good enough."""
        self._job = job
        self._back = back

    def load(self, version: str) -> None:
        """Do nothing: a job loads the version it needs."""

    def unload(self, version: str) -> None:
        """Do nothing: a job ends with what it has loaded."""

    def loaded(self) -> list[str]:
        """Return the versions in memory: none."""
        return []

    def smoke(self, version: str, folder: Path) -> None:
        """Have `version` predict the input example of its own `folder`.

        Raises:
            RolloutError: it cannot be loaded, has no example, its prediction is not plausible, or nothing here can try.
        """
        if self._back:
            # A job that loads its libraries takes longer than going back may.
            return
        job = self._job.model_copy(update={"version": version, "directory": folder.parents[1]})
        tried = worker.run("mlstrata.services.batch", job, arguments=["try"], seconds=_SECONDS)
        if tried.error:
            raise RolloutError(f"trying version {version} of {job.system}: {tried.error}")
