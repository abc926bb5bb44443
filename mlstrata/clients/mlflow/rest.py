"""Requests to MLflow's REST interface, and the one error that they fail with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from mlstrata import waiting
from mlstrata.clients.mlflow.access import header, on_this_machine

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
TIMEOUT_S = 30.0
"""Longest wait for an answer."""
_FILE_TIMEOUT_S = 60.0
PATIENCE = "MLSTRATA_REGISTRY_PATIENCE_S"
"""Variable with the seconds for which a registry that is away is asked again; pods have minutes, a terminal none."""
_PAUSE_S = 2.0
_AWAY = (502, 503, 504)
"""Answers of a registry without its database, or of what stands before one that restarts."""
MISSING = "RESOURCE_DOES_NOT_EXIST"
"""MLflow's code of what it does not know."""
_API, _FILES = "/api/2.0/mlflow/", "/api/2.0/mlflow-artifacts/artifacts"
_PROXIED = "mlflow-artifacts:/"
_REASON = 300


class RegistryError(Exception):
    """The registry does not answer, refuses, or has not what was asked for.

    Attributes:
        code: MLflow's own code of what is wrong, such as `RESOURCE_DOES_NOT_EXIST`; empty where it gave none.
    """

    def __init__(self, message: str, code: str = "") -> None:
        self.code = code
        super().__init__(message)


class _Away(RegistryError):
    """It may answer when it is asked again, and nothing was done."""


class Rest:
    """Asks one MLflow server, over connections that it keeps.

    Attributes:
        address: Where it answers.
    """

    def __init__(self, address: str, access: Mapping[str, str] | None = None) -> None:
        """Ask the server at `address`.

        Args:
            address: Where it answers.
            access: The header that says who asks; None: what the variables of MLflow's own clients say at each request.

        While it is away it is asked again for as long as the variable `PATIENCE` says.
        """
        self.address = address.rstrip("/")
        self._access = access
        self._made: httpx.Client | None = None

    def get(self, what: str, **values: object) -> dict[str, Any]:
        """Ask for one thing, such as `runs/get`; empty values are left out.

        Raises:
            RegistryError: it does not answer as it should, or refuses.
        """
        query = {name: str(value) for name, value in values.items() if value}
        return self._document(self._respond("GET", _API + what, params=query), what)

    def post(self, what: str, *, method: str = "POST", **values: object) -> dict[str, Any]:
        """Have one thing done.

        Raises:
            RegistryError: it does not answer as it should, or refuses.
        """
        return self._document(self._respond(method, _API + what, json=values), what)

    def listed(self, root: str, folder: str = "") -> list[dict[str, Any]]:
        """Return what lies directly in a folder below the root of a run's or a model's files: `path`, `is_dir`.

        Raises:
            RegistryError: it does not answer as it should, or keeps no files there.
        """
        within = self._within(root, folder)
        answer = self._document(self._respond("GET", _FILES, params={"path": within}), f"files of {within}")
        found: list[dict[str, Any]] = answer.get("files", [])
        return [one | {"path": f"{folder}/{one['path']}".lstrip("/")} for one in found]

    def files(self, root: str) -> Iterator[str]:
        """Yield the path of every file below a root.

        Raises:
            RegistryError: it does not answer as it should, or keeps no files there.
        """
        folders = [""]
        while folders:
            for one in self.listed(root, folders.pop()):
                if one.get("is_dir"):
                    folders.append(one["path"])
                else:
                    yield one["path"]

    def read(self, root: str, path: str) -> bytes:
        """Return the bytes of a file below a root.

        Raises:
            RegistryError: it does not answer, or has no such file.
        """
        return self._respond("GET", self._file(root, path), timeout=_FILE_TIMEOUT_S).content

    def write(self, root: str, path: str, content: bytes) -> None:
        """Keep a file below a root.

        Raises:
            RegistryError: it does not answer, or refuses.
        """
        headers = {"Content-Type": "application/octet-stream"}
        self._respond("PUT", self._file(root, path), content=content, headers=headers, timeout=_FILE_TIMEOUT_S)

    def send(self, root: str, path: str, file: Path) -> None:
        """Keep a file of this machine below a root; it may be larger than this one's memory.

        Raises:
            RegistryError: it does not answer, or refuses.
            OSError: the file cannot be read.
        """
        headers = {"Content-Type": "application/octet-stream"}

        def ask() -> None:
            with file.open("rb") as content:
                given = {"content": content, "timeout": _FILE_TIMEOUT_S}
                self._once("PUT", self._file(root, path), {**self._headers(), **headers}, given)

        self._patiently(ask)

    def fetch(self, root: str, folder: Path) -> None:
        """Put every file below a root into a folder of this machine; a model may be larger than this one's memory.

        Raises:
            RegistryError: it does not answer, or names a file outside.
        """
        for path in self.files(root):
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise RegistryError(f"the registry at {self.address} names a file outside of the model: {path}")
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            address, headers = self._file(root, path), self._headers()
            self._patiently(partial(self._stream, address, headers, place))

    def _stream(self, address: str, headers: Mapping[str, str], place: Path) -> None:
        """Write a file of the registry, from its beginning.

        Raises:
            RegistryError: it does not answer.
        """
        import httpx

        asked = self._client().stream("GET", address, headers=headers, timeout=_FILE_TIMEOUT_S)
        try:
            with asked as response, place.open("wb") as to:
                if not response.is_success:
                    response.read()
                    raise self._refusal(response)
                for part in response.iter_bytes():
                    to.write(part)
        except httpx.HTTPError as error:
            raise self._silent(error, away=True) from error

    def _file(self, root: str, path: str) -> str:
        return f"{_FILES}/{quote(self._within(root, path))}"

    def _within(self, root: str, path: str) -> str:
        """Return a path as the server's own store of files has it."""
        if not root.startswith(_PROXIED):
            raise RegistryError(
                f"the registry at {self.address} keeps files at {root}; only what it serves itself is read"
            )
        return f"{root.removeprefix(_PROXIED).strip('/')}/{path}".rstrip("/")

    def _client(self) -> httpx.Client:
        import httpx

        if self._made is None:
            # No proxy reaches this machine; other addresses are reached as the variables say.
            proxied = not on_this_machine(self.address)
            self._made = httpx.Client(base_url=self.address, timeout=TIMEOUT_S, trust_env=proxied)
        return self._made

    def _headers(self) -> Mapping[str, str]:
        return header(os.environ) if self._access is None else self._access

    def _respond(self, method: str, path: str, **request: Any) -> httpx.Response:
        headers = {**self._headers(), **request.pop("headers", {})}
        return self._patiently(lambda: self._once(method, path, headers, request))

    def _once(self, method: str, path: str, headers: Mapping[str, str], request: Mapping[str, Any]) -> httpx.Response:
        import httpx

        try:
            response = self._client().request(method, path, headers=headers, **request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._silent(error, away=True) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Whether a POST was carried out before the connection broke, nobody knows.
            raise self._silent(error, away=method != "POST") from error
        if not response.is_success:
            raise self._refusal(response)
        return response

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Ask; again while the registry is away, for as long as the variable says."""
        patience = float(os.environ.get(PATIENCE) or 0)
        return waiting.retry(
            ask,
            patience,
            lambda error: isinstance(error, _Away),
            _PAUSE_S,
            first=lambda error: sys.stderr.write(f"{error}; it is asked again for {patience:g} s\n"),
        )

    def _document(self, response: httpx.Response, what: str) -> dict[str, Any]:
        try:
            document = response.json()
        except ValueError as error:
            raise self._silent(error) from error
        if not isinstance(document, dict):
            raise RegistryError(
                f"the registry at {self.address} answers {what} with {type(document).__name__}, not an object"
            )
        return document

    def _silent(self, error: Exception, *, away: bool = False) -> RegistryError:
        kind = _Away if away else RegistryError
        return kind(f"the registry at {self.address} does not answer: {error}")

    def _refusal(self, response: httpx.Response) -> RegistryError:
        """Return what MLflow says is wrong; what is not from MLflow is told by its status alone."""
        try:
            said = response.json()
            code, reason = str(said["error_code"]), str(said.get("message", "")).partition("\n")[0][:_REASON]
        except (ValueError, KeyError, TypeError, AttributeError):
            code, reason = "", f"HTTP {response.status_code} {response.reason_phrase}"
        kind = _Away if response.status_code in _AWAY else RegistryError
        return kind(f"the registry at {self.address} does not do what is asked: {reason or code}", code)
