"""Kubeflow Pipelines by its own generated client: one error, retries of what may be asked twice, and get-or-create."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from mlstrata import waiting

Call = Callable[..., Any]
_PAGE = 100
_TIMEOUT_S = 30
_REASON = 400


class KubeflowError(Exception):
    """Kubeflow Pipelines does not answer, or refuses.

    Attributes:
        status: HTTP status of a refusal; 0 where no answer came.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        self.status = status
        super().__init__(message)

    @property
    def lost(self) -> bool:
        """Whether a retry may help: no answer came, or one of a server that fails."""
        return self.status == 0 or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


class Kubeflow:
    """Asks one installation.

    Attributes:
        runs: The generated client of runs.
        recurring: The generated client of recurring runs.

    Args:
        url: Its address.
        token: Bearer token, where a proxy before it asks for one; empty for none.
        namespace: Of a profile, where it serves several; empty where it does not.
        patience_s: For how long a request is retried while it does not answer; only what may be asked twice is.
    """

    def __init__(self, url: str, token: str = "", namespace: str = "", patience_s: float = 60.0) -> None:
        import kfp_server_api as kfp

        configuration = kfp.Configuration(host=url.rstrip("/"))
        configuration.retries = False  # whether a request may be sent twice is for its caller to say
        header = ("authorization", f"Bearer {token}") if token else (None, None)
        client = kfp.ApiClient(configuration, *header)
        self.runs, self.recurring = kfp.RunServiceApi(client), kfp.RecurringRunServiceApi(client)
        self._pipelines, self._uploads = kfp.PipelineServiceApi(client), kfp.PipelineUploadServiceApi(client)
        self._experiments = kfp.ExperimentServiceApi(client)
        self._where, self._patience = f"Kubeflow Pipelines at {url.rstrip('/')}", patience_s
        self._namespace = {"namespace": namespace} if namespace else {}

    def pipeline(self, name: str, description: str) -> str:
        """Return the id of the pipeline `name`, made if there is none.

        Raises:
            KubeflowError: it does not answer, or refuses.
        """

        def found() -> str:
            try:
                call = self._pipelines.pipeline_service_get_pipeline_by_name
                return self._known(self.ask(call, name, **self._namespace).pipeline_id)
            except KubeflowError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                return ""

        def make() -> str:
            body = {"name": name, "display_name": name, "description": description, **self._namespace}
            return self._known(self.send(self._pipelines.pipeline_service_create_pipeline, body).pipeline_id)

        return _get_or_make(found, make)

    def version(self, pipeline: str, name: str, package: bytes) -> str:
        """Return the id of the version `name` of a pipeline, uploaded if there is none.

        Raises:
            KubeflowError: it does not answer, or refuses.
        """

        def found() -> str:
            versions = self.pages(
                self._pipelines.pipeline_service_list_pipeline_versions, "pipeline_versions", pipeline
            )
            return next((one.pipeline_version_id for one in versions if name in {one.name, one.display_name}), "")

        def make() -> str:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / f"{name}.yaml"
                file.write_bytes(package)
                query = {"name": name, "display_name": name, "pipelineid": pipeline}
                made = self.send(self._uploads.upload_pipeline_version, str(file), **query)
            return self._known(made.pipeline_version_id)

        return _get_or_make(found, make)

    def experiment(self, name: str) -> str:
        """Return the id of the experiment `name`, made if there is none.

        Raises:
            KubeflowError: it does not answer, or refuses.
        """

        def found() -> str:
            call = self._experiments.experiment_service_list_experiments
            known = self.pages(call, "experiments", **self._namespace)
            return next((one.experiment_id for one in known if one.display_name == name), "")

        def make() -> str:
            body = {"display_name": name, **self._namespace}
            return self._known(self.send(self._experiments.experiment_service_create_experiment, body).experiment_id)

        return _get_or_make(found, make)

    def run(self, run: str) -> Any:
        """Return a run.

        Raises:
            KubeflowError: it does not answer, or refuses.
        """
        found = self.ask(self.runs.run_service_get_run, run)
        self._known(found.run_id)
        return found

    def ask(self, call: Call, *arguments: object, **query: object) -> Any:
        """Make a call of the generated client that changes nothing; one without an answer is retried for a while.

        Raises:
            KubeflowError: it does not answer, or refuses.
        """
        return waiting.retry(
            lambda: self.send(call, *arguments, **query),
            self._patience,
            lambda error: isinstance(error, KubeflowError) and error.lost,
            min(1.0, self._patience / 10),
        )

    def pages(self, call: Call, field: str, *arguments: object, **query: object) -> Iterator[Any]:
        """Yield every entry of a list.

        Raises:
            KubeflowError: it does not answer, or refuses.
        """
        token = ""
        while True:
            more = {"page_token": token} if token else {}
            answer = self.ask(call, *arguments, **query, page_size=_PAGE, **more)
            yield from getattr(answer, field) or ()
            if not (token := answer.next_page_token or ""):
                return

    def send(self, call: Call, *arguments: object, **query: object) -> Any:
        """Make a call of the generated client once.

        Raises:
            KubeflowError: no answer came, whatever became of it, or it refuses.
        """
        import kfp_server_api as kfp
        import urllib3

        try:
            return call(*arguments, **query, _request_timeout=_TIMEOUT_S)
        except urllib3.exceptions.HTTPError as error:
            raise KubeflowError(f"{self._where} does not answer: {error}") from error
        except kfp.ApiException as error:
            what = f"{call.__name__} gave {error.status}: {_reason(error)}"
            raise KubeflowError(f"{self._where}: {what}", error.status or 0) from error

    def _known(self, identity: object) -> str:
        # The client makes an empty object of what is no JSON, such as a page for people.
        if not identity:
            raise KubeflowError(f"{self._where} gave no id; is this address its API?", HTTPStatus.OK)
        return str(identity)


def _get_or_make(found: Callable[[], str], make: Callable[[], str]) -> str:
    """Return the id of what is there, made if it is not; one that arrived without an answer, or another's, counts."""
    if known := found():
        return known
    try:
        return make()
    except KubeflowError as error:
        if (error.lost or error.status == HTTPStatus.CONFLICT) and (known := found()):
            return known
        raise


def _reason(error: Any) -> str:
    text = str(error.body or error.reason or "")
    try:
        said = json.loads(text)
        text = said.get("message") or said.get("error_message") or text
    except (ValueError, AttributeError):
        pass
    return text.strip()[:_REASON] or "it gave no reason"
