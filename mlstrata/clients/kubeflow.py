"""The REST interface of Kubeflow Pipelines, v2beta1: as much of it as training needs.

Paths and fields: `backend/api/v2beta1/swagger` of kubeflow/pipelines.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import urllib3

Json = dict[str, Any]
BASE = "/apis/v2beta1"
_PAGE = 100
_TIMEOUT = 30.0
_REASON = 400
_OK, _UNWELL = 200, 500
_CONFLICT, _NOT_FOUND = 409, 404


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
        """Whether asking once more may help: no answer came, or one that it is unwell."""
        return self.status == 0 or self.status >= _UNWELL


class Kubeflow:
    """Asks one installation.

    Args:
        url: Its address.
        token: Bearer token, where something before it asks for one; empty for none.
        namespace: Of a profile, where it serves several; empty where it does not.
        patience_s: How long one that does not answer is asked again; only what may be asked twice is.
    """

    def __init__(self, url: str, token: str = "", namespace: str = "", patience_s: float = 60.0) -> None:
        self._url, self._namespace, self._patience = url.rstrip("/"), namespace, patience_s
        headers = {"authorization": f"Bearer {token}"} if token else {}
        # What may be sent twice is for the callers to say.
        self._pool = urllib3.PoolManager(headers=headers, timeout=_TIMEOUT, retries=False)

    def pipeline(self, name: str, description: str) -> str:
        """Return the id of the pipeline `name`, made if there is none.

        Raises:
            KubeflowError: it does not answer, or refuses.
        """
        query = {"namespace": self._namespace} if self._namespace else {}
        try:
            return str(self.get(f"/pipelines/names/{name}", query)["pipeline_id"])
        except KubeflowError as error:
            if error.status != _NOT_FOUND:
                raise
        body = {"name": name, "display_name": name, "description": description, **query}
        try:
            return str(self.post("/pipelines", body)["pipeline_id"])
        except KubeflowError as error:
            if error.status != _CONFLICT:
                raise
            # Somebody else was faster.
            return str(self.get(f"/pipelines/names/{name}", query)["pipeline_id"])

    def version(self, pipeline: str, name: str, package: bytes) -> str:
        """Return the id of the version `name` of a pipeline, uploaded if there is none.

        Raises:
            KubeflowError: it does not answer, or refuses.
        """
        if found := self._version(pipeline, name):
            return found
        query = {"name": name, "display_name": name, "pipelineid": pipeline}
        try:
            made = self._once(
                "POST",
                "/pipelines/upload_version",
                query,
                fields={"uploadfile": (f"{name}.yaml", package, "application/yaml")},
            )
            return str(made["pipeline_version_id"])
        except KubeflowError as error:
            if not (error.lost or error.status == _CONFLICT):
                raise
            # It may have arrived, or somebody else's did.
            if found := self._version(pipeline, name):
                return found
            raise

    def _version(self, pipeline: str, name: str) -> str:
        for one in self.pages(f"/pipelines/{pipeline}/versions", "pipeline_versions"):
            if name in {one.get("name"), one.get("display_name")}:
                return str(one["pipeline_version_id"])
        return ""

    def experiment(self, name: str) -> str:
        """Return the id of the experiment `name`, made if there is none.

        Raises:
            KubeflowError: it does not answer, or refuses.
        """
        query = {"namespace": self._namespace} if self._namespace else {}

        def found() -> str:
            pages = self.pages("/experiments", "experiments", **query)
            return next((str(one["experiment_id"]) for one in pages if one.get("display_name") == name), "")

        if known := found():
            return known
        try:
            return str(self.post("/experiments", {"display_name": name, **query})["experiment_id"])
        except KubeflowError as error:
            if not (error.lost or error.status == _CONFLICT) or not (known := found()):
                raise
            return known

    def get(self, path: str, query: Json | None = None) -> Json:
        """Return what stands at `path`; one that does not answer is asked again for a while.

        Raises:
            KubeflowError: it does not answer, or refuses.
        """
        end = time.monotonic() + self._patience
        while True:
            try:
                return self._once("GET", path, query)
            except KubeflowError as error:
                if not error.lost or time.monotonic() > end:
                    raise
            time.sleep(min(1.0, self._patience / 10))

    def pages(self, path: str, field: str, **query: str) -> Iterator[Json]:
        """Yield every entry of a list.

        Raises:
            KubeflowError: it does not answer, or refuses.
        """
        token = ""
        while True:
            asked: Json = {"page_size": _PAGE, **query, **({"page_token": token} if token else {})}
            answer = self.get(path, asked)
            yield from answer.get(field) or ()
            if not (token := answer.get("next_page_token") or ""):
                return

    def post(self, path: str, body: Json) -> Json:
        """Send `body` once.

        Raises:
            KubeflowError: no answer came, whatever became of it, or it refuses.
        """
        return self._once("POST", path, json=body)

    def delete(self, path: str) -> None:
        """Delete what stands at `path`; that it is gone already is fine.

        Raises:
            KubeflowError: it does not answer, or refuses.
        """
        try:
            self._once("DELETE", path)
        except KubeflowError as error:
            if error.status != _NOT_FOUND:
                raise

    def _once(self, method: str, path: str, query: Json | None = None, **body: Any) -> Json:
        where = f"Kubeflow Pipelines at {self._url}"
        address = f"{self._url}{BASE}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            answer = self._pool.request(method, address, **body)
        except urllib3.exceptions.HTTPError as error:
            raise KubeflowError(f"{where} does not answer: {error}") from error
        if answer.status != _OK:
            raise KubeflowError(f"{where}: {method} {path} gave {answer.status}: {_reason(answer)}", answer.status)
        try:
            found = answer.json() if answer.data else {}
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise KubeflowError(f"{where}: {method} {path} gave no JSON object; is this address its API?", _OK)
        return found


def _reason(answer: urllib3.BaseHTTPResponse) -> str:
    text = answer.data.decode(errors="replace")
    try:
        said = answer.json()
        reason = said.get("message") or said.get("error_message") or text
    except (ValueError, AttributeError):
        reason = text
    return str(reason).strip()[:_REASON] or "it gave no reason"
