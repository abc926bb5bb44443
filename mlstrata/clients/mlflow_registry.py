"""The registry as the rollout uses it: versions, their metrics and files, and the champion alias."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.clients.errors import RolloutError
from mlstrata.clients.mlflow_access import header, past_proxies
from mlstrata.clients.mlflow_rest import MISSING, RegistryError, ask

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
_MARK = "MLmodel"
_GATES = "gates.json"
# The client's own defaults: minutes of silent retries, a bar on the terminal, and a call to its makers.
_CLIENT_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


@dataclass(frozen=True)
class Candidate:
    """A registered version: its number, files, the metrics of the run that made it, that run, and when it came."""

    version: str
    files: str
    metrics: dict[str, float]
    run: str | None = None
    registered: datetime | None = None


@dataclass(frozen=True)
class Check:
    """What a training run found of its model: a gate, such as the probabilities being in range.

    Attributes:
        name: the check.
        passed: whether the model passed it.
        detail: what was found and what is allowed.
        warns: whether not passing it is for a person to judge, such as a figure that is measured after the release.
    """

    name: str
    passed: bool
    detail: str
    warns: bool = False


class Registry:
    """Talks to MLflow's model registry; the client is imported at the first call."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._made: MlflowClient | None = None

    def candidate(self, system: str, version: str | None) -> Candidate:
        """Return `version` of `system`, or its latest.

        Raises:
            RolloutError: there is none, or the registry does not answer.
        """
        versions = {str(one.version): one for one in self._versions(system)}
        if not versions:
            raise RolloutError(f"no version of {system} is registered at {self._uri}; train one first")
        wanted = version or max(versions, key=int)
        if wanted not in versions:
            known = ", ".join(sorted(versions, key=int))
            raise RolloutError(f"version: got {wanted!r}; registered of {system}: {known}")
        with self._asking():
            files = self._client().get_model_version_download_uri(system, wanted)
            run = versions[wanted].run_id
            measured = self._client().get_run(run).data.metrics if run else {}
        # A figure that is no number cannot be kept as JSON, and says nothing to anyone who decides.
        metrics = {name: value for name, value in measured.items() if math.isfinite(value)}
        when = datetime.fromtimestamp(versions[wanted].creation_timestamp / 1000, tz=UTC)  # MLflow counts milliseconds
        return Candidate(wanted, files, metrics, run, when)

    def checks(self, candidate: Candidate) -> tuple[Check, ...] | None:
        """Return what the run of `candidate` checked; None when it left no `gates.json`.

        Raises:
            RolloutError: the registry does not answer, or the file is not what the training pipeline writes.
        """
        if candidate.run is None:
            return None
        with self._asking(), tempfile.TemporaryDirectory() as folder:
            if all(one.path != _GATES for one in self._client().list_artifacts(candidate.run)):
                return None
            text = Path(self._client().download_artifacts(candidate.run, _GATES, folder)).read_bytes()
        try:
            found = json.loads(text)["checks"]
            return tuple(Check(one["name"], one["passed"], one["detail"], one["warns"]) for one in found)
        except (ValueError, KeyError, TypeError) as error:
            raise RolloutError(f"version {candidate.version}: {_GATES} of its run cannot be read: {error!r}") from error

    def download(self, candidate: Candidate, folder: Path) -> None:
        """Put the files of `candidate` at `folder`, all or nothing; files there already are complete.

        Raises:
            RolloutError: the files cannot be had, or are no model.
        """
        if folder.is_dir():
            return
        unfinished = folder.with_name(f"{folder.name}.tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        try:
            with self._asking():
                from mlflow.artifacts import download_artifacts

                got = Path(download_artifacts(candidate.files, dst_path=str(unfinished), tracking_uri=self._uri))
            if not (got / _MARK).is_file():
                raise RolloutError(
                    f"version {candidate.version}: {candidate.files} holds no {_MARK}; register it again"
                )
            got.replace(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def latest(self, system: str) -> str | None:
        """Return the newest registered version.

        Raises:
            RolloutError: the registry does not answer.
        """
        return max((str(one.version) for one in self._versions(system)), key=int, default=None)

    def champion(self, system: str) -> str | None:
        """Return the version that has the champion alias.

        Raises:
            RolloutError: the registry does not answer.
        """
        try:
            answer = self._ask("GET", {"name": system, "alias": CHAMPION})
            return str(answer["model_version"]["version"])
        except RegistryError as error:
            # A model without the alias is an invalid parameter to MLflow, one it does not know is missing.
            if error.code in (MISSING, "INVALID_PARAMETER_VALUE"):
                return None
            raise RolloutError(str(error)) from error
        except (KeyError, TypeError) as error:
            raise RolloutError(f"the registry at {self._uri} names no version of the alias {CHAMPION}") from error

    def set_champion(self, system: str, version: str | None) -> None:
        """Give the champion alias to `version`, or to none.

        Raises:
            RolloutError: the registry does not answer or refuses.
        """
        if self.champion(system) == version:
            return
        try:
            if version is None:
                self._ask("DELETE", {"name": system, "alias": CHAMPION})
            else:
                self._ask("POST", {"name": system, "alias": CHAMPION, "version": version})
        except RegistryError as error:
            raise RolloutError(str(error)) from error

    def _ask(self, method: str, values: dict[str, str]) -> dict[str, Any]:
        """Ask about the alias without MLflow's client: its import is most of what a rollback would take."""
        return ask(self._uri, header(os.environ), "registered-models/alias", values, method=method)

    def _versions(self, system: str) -> list[ModelVersion]:
        found: list[ModelVersion] = []
        token: str | None = None
        with self._asking():
            while True:
                page = self._client().search_model_versions(f"name = '{system}'", page_token=token)
                found += [one for one in page if one.status == "READY"]
                if not (token := page.token):
                    return found

    def _client(self) -> MlflowClient:
        if self._made is None:
            for name, value in _CLIENT_SETTINGS.items():
                os.environ.setdefault(name, value)
            past_proxies(self._uri)
            from mlflow import MlflowClient

            self._made = MlflowClient(self._uri, self._uri)
        return self._made

    @contextmanager
    def _asking(self) -> Iterator[None]:
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            reason = str(error).partition("\n")[0][:300]
            raise RolloutError(f"the registry at {self._uri} does not do what is asked: {reason}") from error
