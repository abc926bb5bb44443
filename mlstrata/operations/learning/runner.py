"""The environment's runner, asked for runs whose identity we chose: asking again starts no second one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlstrata.services.retraining.loop import Ran, Refused

_SECONDS = 30.0
_ENDED = ("succeeded", "failed", "cancelled")


class Runner:
    """A client of the runner.

    Raises:
        httpx.HTTPError: by everything in here, where it does not answer.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url, self._headers = url, {"authorization": f"Bearer {token}"}

    def ran(self, identity: str) -> Ran | None:
        """Say where a run is; None: there is none of this identity."""
        import httpx

        answer = self._ask("GET", f"/runs/{identity}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        run = answer.raise_for_status().json()
        if run["state"] not in _ENDED:
            return Ran(False)
        result = run["result"] or {}
        error = "" if run["state"] == "succeeded" else f"{run['state']}: {run['error'] or 'no reason was given'}"
        return Ran(True, str(result.get("version") or ""), bool(result.get("created", True)), error)

    def submit(self, identity: str, system: str, request: Mapping[str, Any]) -> None:
        """Ask for a run.

        Raises:
            Refused: The request is none that it takes.
        """
        import httpx

        body = {"id": identity, "system": system, "settings": request, "trigger": "retraining"}
        answer = self._ask("POST", "/runs", json=body)
        if answer.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY):
            raise Refused(f"the runner refused the run ({answer.status_code}): {answer.text.strip()}")
        answer.raise_for_status()

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        import httpx

        return httpx.request(method, self._url + path, headers=self._headers, timeout=_SECONDS, trust_env=False, **more)
