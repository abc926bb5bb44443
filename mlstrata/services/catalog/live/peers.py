"""The other services of the environment: where each listens and what it asks for, as its settings file says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from mlstrata.services.http import LOOPBACK, read_secret

_SECONDS = 20.0


class PeerError(Exception):
    """Another service did not do what it was asked; the message says which and why."""


@dataclass(frozen=True)
class Peer:
    """A service of this environment.

    Attributes:
        name: Its name.
        port: Its port on this machine.
        token_file: The file with the token that it asks for.
    """

    name: str
    port: int
    token_file: Path

    @classmethod
    def find(cls, home: Path, name: str) -> Peer | None:
        """Return a service by name; None where the environment has none, or its settings cannot be read."""
        try:
            said = json.loads((home / f"config/{name}/{name}.json").read_bytes())
            return cls(name, int(said["port"]), Path(said["token_file"]))
        except (OSError, ValueError, KeyError, TypeError):
            # What is there and cannot be read was written by `up`, which mends it: until then nothing can be asked.
            return None

    def post(self, path: str, document: dict[str, Any], seconds: float = _SECONDS) -> dict[str, Any]:
        """Send a document, and return what is answered within so many seconds.

        Raises:
            PeerError: It is not there, or refuses.
        """
        import httpx

        try:
            headers = {"authorization": f"Bearer {read_secret(self.token_file)}"}
            url = f"http://{LOOPBACK}:{self.port}{path}"
            answer = httpx.post(url, json=document, headers=headers, timeout=seconds, trust_env=False)
        except (OSError, ValueError) as error:
            raise PeerError(f"service {self.name}: its token cannot be read: {type(error).__name__}") from error
        except httpx.HTTPError as error:
            raise PeerError(f"service {self.name} does not answer: {type(error).__name__}") from error
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            raise PeerError(f"service {self.name} refused it ({answer.status_code}): {_said(answer)}")
        try:
            found: dict[str, Any] = answer.json()
        except ValueError:
            return {}
        return found


def _said(answer: Any) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return str(answer.text)[:200]
