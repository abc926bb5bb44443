"""What is recorded somewhere else, read over the recorder's interface: for whoever has its token and no store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from mlstrata.services.recording.record import Record
from mlstrata.services.recording.store import Feedback, Known

SECONDS = 60.0
"""How long the recorder may take for one answer, and for the next row of one."""


class RecorderError(Exception):
    """The recorder does not answer, or refuses; the message says which."""


class RemoteRecords:
    """Reads from a recorder."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._headers = url, {"Authorization": f"Bearer {token}"}

    def find(self, request: str) -> list[Record]:
        """Return what was recorded under a request's id, the answer that was given first.

        Raises:
            RecorderError: It does not answer, or refuses.
        """
        return [Record.model_validate(one) for one in self._prediction(request).get("records", [])]

    def known(self, request: str) -> list[Known]:
        """Return the rows that were recorded under a request's id, with their feedback, without groups.

        Raises:
            RecorderError: It does not answer, or refuses.
        """
        said = self._prediction(request)
        told = {one["instance"]: Feedback(**one) for one in said.get("feedback", [])}
        records = (Record.model_validate(one) for one in said.get("records", []))
        return [Known(one, number, told.get(number)) for one in records for number in range(len(one.instances))]

    def window(self, system: str, *, since: float, until: float, limit: int | None = None) -> Iterator[Known]:
        """Yield the rows of a system recorded in [since, until), oldest first, as a store does, without groups.

        Raises:
            RecorderError: It does not answer, refuses, or ends in the middle.
        """
        import httpx

        asked = {"since": since, "until": until, **({"limit": limit} if limit is not None else {})}
        try:
            with httpx.stream(
                "GET",
                f"{self._url}/rows/{system}",
                params=asked,
                headers=self._headers,
                timeout=SECONDS,
                trust_env=False,
            ) as answer:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    raise RecorderError(_refusal(answer))
                for line in answer.iter_lines():
                    yield known(json.loads(line))
        except (httpx.HTTPError, ValueError) as error:
            raise self._silent(error) from error

    def ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """Return what the recorder answers.

        Raises:
            RecorderError: It does not answer, or refuses.
        """
        answer = self._respond(method, path, body)
        if not answer.is_success:
            raise RecorderError(_refusal(answer))
        return self._document(answer)

    def _prediction(self, request: str) -> dict[str, Any]:
        from urllib.parse import quote

        answer = self._respond("GET", f"/predictions/{quote(request, safe='')}", None)
        if answer.status_code == 404:  # noqa: PLR2004 - nothing is recorded under it
            return {}
        if not answer.is_success:
            raise RecorderError(_refusal(answer))
        return self._document(answer)

    def _respond(self, method: str, path: str, body: bytes | None) -> Any:
        import httpx

        try:
            return httpx.request(
                method, f"{self._url}{path}", content=body, headers=self._headers, timeout=SECONDS, trust_env=False
            )
        except httpx.HTTPError as error:
            raise self._silent(error) from error

    def _silent(self, error: Exception) -> RecorderError:
        return RecorderError(f"the recorder at {self._url} does not answer: {error}; `mlstrata status` says why")

    def _document(self, answer: Any) -> dict[str, Any]:
        try:
            document: dict[str, Any] = answer.json()
        except ValueError as error:
            raise RecorderError(f"the recorder at {self._url} does not answer in JSON: {error}") from error
        return document


def line(one: Known) -> bytes:
    """Return a row as a line of JSON, without protected attributes."""
    told = asdict(one.feedback) if one.feedback is not None else None
    if told is not None:
        del told["groups"]
    document = {"record": one.record.model_dump(mode="json"), "instance": one.instance, "feedback": told}
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def known(document: dict[str, Any]) -> Known:
    """Read what `line` gave.

    Raises:
        ValueError: It is none.
    """
    told = document["feedback"]
    return Known(Record.model_validate(document["record"]), document["instance"], Feedback(**told) if told else None)


def _refusal(answer: Any) -> str:
    try:
        return f"the recorder refused it: {answer.json()['error']['message']}"
    except (ValueError, KeyError, TypeError):
        return f"the recorder refused it: HTTP {answer.status_code}"
