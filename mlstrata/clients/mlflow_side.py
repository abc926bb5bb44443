"""One side of a promotion: a registry with its own access, over MLflow's REST interface."""

from __future__ import annotations

import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

from mlstrata.clients.mlflow_rest import TIMEOUT, RegistryError, ask

MISSING = "RESOURCE_DOES_NOT_EXIST"
_PROXIED = "mlflow-artifacts:/"
_FILES = "/api/2.0/mlflow-artifacts/artifacts/"
_PAGE = 1000
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Side:
    """A registry.

    Attributes:
        environment: Whose it is.
        address: Where it answers.
        access: The header that says who asks; each side has its own.
    """

    environment: str
    address: str
    access: Mapping[str, str] = field(repr=False)

    def get(self, what: str, **values: object) -> dict[str, Any]:
        """Ask for one thing.

        Raises:
            RegistryError: it does not answer, or refuses.
        """
        return ask(self.address, self.access, what, values)

    def post(self, what: str, *, method: str = "POST", **values: object) -> dict[str, Any]:
        """Have one thing done.

        Raises:
            RegistryError: it does not answer, or refuses.
        """
        return ask(self.address, self.access, what, values, method=method)

    def versions(self, system: str) -> list[dict[str, Any]]:
        """Return the registered versions of a system, the newest first."""
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            page = self.get("model-versions/search", filter=f"name = '{system}'", max_results=_PAGE, page_token=token)
            found += page.get("model_versions", [])
            if not (token := page.get("next_page_token", "")):
                return sorted(found, key=lambda one: int(one["version"]), reverse=True)

    def run(self, run: str) -> dict[str, Any]:
        """Return a run."""
        found: dict[str, Any] = self.get("runs/get", run_id=run)["run"]
        return found

    def files(self, run: str) -> Iterator[str]:
        """Yield the path of every artifact of a run."""
        folders = [""]
        while folders:
            for one in self.get("artifacts/list", run_id=run, path=folders.pop()).get("files", []):
                if one.get("is_dir"):
                    folders.append(one["path"])
                else:
                    yield one["path"]

    def read(self, root: str, path: str) -> bytes:
        """Return the bytes of an artifact below the root of its run."""
        return self._file("GET", root, path)

    def write(self, root: str, path: str, content: bytes) -> None:
        """Keep an artifact below the root of its run."""
        self._file("PUT", root, path, content)

    def experiment(self, name: str) -> str:
        """Return the id of an experiment, made if there is none."""
        try:
            return str(self.get("experiments/get-by-name", experiment_name=name)["experiment"]["experiment_id"])
        except RegistryError as error:
            if error.code != MISSING:
                raise
        return str(self.post("experiments/create", name=name)["experiment_id"])

    def model(self, name: str) -> None:
        """Have a registered model of that name."""
        try:
            self.post("registered-models/create", name=name)
        except RegistryError as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _file(self, method: str, root: str, path: str, content: bytes | None = None) -> bytes:
        if not root.startswith(_PROXIED):
            raise RegistryError(
                f"the registry at {self.address} keeps files at {root}; only what it serves itself is moved"
            )
        below = urllib.parse.quote(f"{root.removeprefix(_PROXIED).strip('/')}/{path}")
        headers = {**self.access, "Content-Type": "application/octet-stream"}
        request = urllib.request.Request(  # noqa: S310 - a registry's address, of our own state
            f"{self.address.rstrip('/')}{_FILES}{below}", data=content, headers=headers, method=method
        )
        try:
            with _DIRECT.open(request, timeout=6 * TIMEOUT) as answer:
                body: bytes = answer.read()
        except (HTTPError, OSError, HTTPException) as error:
            raise RegistryError(f"the registry at {self.address}: {method} {path}: {error}") from error
        return body
