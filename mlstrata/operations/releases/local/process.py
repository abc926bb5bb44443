"""The prediction process of one system, as the rollout uses it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.operations.releases.errors import RolloutError
from mlstrata.services.serving.example import read_example
from mlstrata.services.serving.problem import told

if TYPE_CHECKING:
    import httpx

# The first version a process loads makes it import what the model needs.
_LOAD_TIMEOUT_S = 600.0
_TIMEOUT_S = 60.0
_OK = 200


class ServingProcess:
    """Loads, tries and unloads versions over the process's loopback interface."""

    def __init__(self, system: str, url: str, secret: Path) -> None:
        """Ask the process of `system` at `url`; `secret` is the file of what its versions interface asks for."""
        self._system = system
        self._url = url
        self._secret = secret

    def load(self, version: str) -> None:
        """Have `version` in memory.

        Raises:
            RolloutError: it cannot be loaded, or the process does not answer.
        """
        self._expect(self._ask("PUT", f"/versions/{version}", timeout=_LOAD_TIMEOUT_S), f"loading version {version}")

    def unload(self, version: str) -> None:
        """Have `version` out of memory.

        Raises:
            RolloutError: it is the champion, or the process does not answer.
        """
        self._expect(self._ask("DELETE", f"/versions/{version}"), f"unloading version {version}")

    def loaded(self) -> list[str]:
        """Return the versions in memory.

        Raises:
            RolloutError: the process does not answer.
        """
        answer = self._expect(self._ask("GET", "/versions"), "asking for the versions")
        return [one["version"] for one in answer["versions"]]

    def smoke(self, version: str, folder: Path) -> None:
        """Have `version` predict the input example of its own `folder`.

        Raises:
            RolloutError: there is no example, or the answer is not a plausible prediction for each of its rows.
        """
        try:
            example = read_example(folder)
        except ValueError as error:
            raise RolloutError(f"version {version} of {self._system}: {error}") from error
        if not example:
            raise RolloutError(
                f"version {version} of {self._system} has no input example to try it on; log it with input_example"
            )
        path = f"/systems/{self._system}/v1/predict"
        response = self._ask("POST", path, json={"instances": example}, headers={"x-mlstrata-version": version})
        answer = self._expect(response, f"trying version {version} on its input example")
        if answer["model"]["version"] != version or len(answer["predictions"]) != len(example):
            raise RolloutError(f"trying version {version} on its input example: got {answer}, not its predictions")

    def _allowed(self) -> dict[str, str]:
        try:
            return {"authorization": f"Bearer {self._secret.read_text(encoding='utf-8').strip()}"}
        except OSError as error:
            raise RolloutError(f"{self._secret}: {error.strerror}; bring the environment up, which writes it") from None

    def _ask(self, method: str, path: str, *, timeout: float = _TIMEOUT_S, **request: Any) -> httpx.Response:
        import httpx

        if path.startswith("/versions"):
            request["headers"] = self._allowed()
        try:
            return httpx.request(method, self._url + path, timeout=timeout, trust_env=False, **request)
        except httpx.TransportError as error:
            where = f"the prediction process of {self._system} at {self._url}"
            raise RolloutError(f"{where} does not answer: {error}; is the environment up?") from error

    def _expect(self, response: httpx.Response, doing: str) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = response.json()
            if response.status_code == _OK:
                return answer
            problem = answer["error"]
            reason = told(problem["message"], problem.get("details", []))
        except (ValueError, KeyError, TypeError):
            reason = f"status {response.status_code}: {response.text[:200]}"
        raise RolloutError(f"{doing} of {self._system}: {reason}")
