"""A batch system as the rollout uses it: nothing holds a version in memory, so a version is tried by a job."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from mlstrata.clients.errors import RolloutError
from mlstrata.environments.installation import interpreter
from mlstrata.services.batch.settings import ScoringJob

_SECONDS = 120


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
        with tempfile.TemporaryDirectory() as scratch:
            settings = Path(scratch) / "job.json"
            settings.write_text(job.model_dump_json(), encoding="utf-8")
            command = [str(interpreter()), "-m", "mlstrata.services.batch", "try", "--settings", str(settings)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
            except subprocess.TimeoutExpired as error:
                raise RolloutError(f"trying version {version} of {job.system} took over {_SECONDS} s") from error
        try:
            problem = json.loads(done.stdout.splitlines()[-1])["error"]
        except (IndexError, ValueError, KeyError):
            problem = done.stderr.strip()[-300:] or "it ended without a word"
        if problem:
            raise RolloutError(f"trying version {version} of {job.system}: {problem}")
