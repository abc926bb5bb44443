"""Which rows a person is to look at: a random share for labels, and what a fallback handed over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from http import HTTPStatus

from mlstrata.environments.spec.serving import FallbackTo
from mlstrata.services.recording.record import Record
from mlstrata.services.recording.store import Queue, Waiting

_SALT = b"mlstrata labelling "
"""So that no other share by the same id, such as a canary's, picks the same requests."""
_RANGE = 2**64


def is_chosen(request: str, share: float) -> bool:
    """Say whether a request is in a random share of all: the same for every process, and in each larger share too.

    Args:
        request: The request's id.
        share: 0 to 1.
    """
    drawn = int.from_bytes(hashlib.sha256(_SALT + request.encode()).digest()[:8])
    return drawn < share * _RANGE


def waiting_rows(record: Record, share: float) -> Iterator[Waiting]:
    """Yield the rows of a record that a person is to look at.

    An answer that nobody was given is none of them: what the champion answered to the same request is.

    Args:
        record: The record.
        share: Share of answers that are labelled; noted with the row, so that an estimate can weigh by 1/share
            (Horvitz & Thompson 1952) whatever the file says later.
    """
    if record.shadow or record.status != HTTPStatus.OK:
        return
    chosen = is_chosen(record.id, share)
    for number, row in enumerate(record.instances):
        if row.source == FallbackTo.HUMAN_REVIEW:
            yield Waiting(Queue.REVIEW, record.id, number, record.at, 1.0)
        if chosen and row.output is not None:
            yield Waiting(Queue.LABELLING, record.id, number, record.at, share)
