"""Finds one prediction in the gateway's log and its archives: who asked, and which version answered."""

from __future__ import annotations

import gzip
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlstrata.services.catalog.graph import ends, part
from mlstrata.services.catalog.model import Catalog, Edge, Node, NodeKind
from mlstrata.services.gateway.logfiles import DAMAGED, Stream, streams

SEARCHED = 256 * 1024 * 1024
"""Bytes of the log that are searched, from its newest: about 800,000 requests, some seconds."""


@dataclass(frozen=True)
class Prediction:
    """One request as the gateway logged it.

    Attributes:
        request_id: Its identity, which the answer's header x-request-id gave.
        time: When it came, ISO 8601.
        system: The system that was asked.
        version: The version that answered; None: none did.
        consumer: Who asked.
        status: The HTTP status it got.
    """

    request_id: str
    time: str
    system: str
    version: str | None
    consumer: str | None
    status: int


def find(log: Path, request_id: str) -> Prediction | None:
    """Return the newest request of that id; None when there is none.

    The log and its archives are searched from the newest, `SEARCHED` bytes and the rest of the file that these end in.
    A damaged archive is passed over.
    """
    left, wanted = SEARCHED, request_id.encode()
    with suppress(OSError):
        for stream in streams(log):
            _skip(stream, left)
            begun = stream.tell()
            lines: list[bytes] = []
            with suppress(OSError, *DAMAGED):
                lines.extend(line for line in stream if wanted in line)
            for line in reversed(lines):
                if found := _read(line, request_id):
                    return found
            left -= stream.tell() - begun
            if left <= 0:
                return None
    return None


def _skip(stream: Stream, left: int) -> None:
    """Go to where the last `left` bytes begin, where that takes no unpacking."""
    if not isinstance(stream, gzip.GzipFile):
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - left))


def _read(line: bytes, request_id: str) -> Prediction | None:
    try:
        entry = json.loads(line)
        if entry["request_id"] != request_id or not entry.get("system"):
            return None
        return Prediction(
            request_id=request_id,
            time=str(entry["time"]),
            system=str(entry["system"]),
            version=_text(entry.get("version")),
            consumer=_text(entry.get("consumer")),
            status=int(entry["status"]),
        )
    except (ValueError, TypeError, KeyError):
        return None  # a line cut short by the end of the tail, or of another kind


def _text(value: object) -> str | None:
    return None if value in (None, "", "-") else str(value)


def lineage_of(catalog: Catalog, prediction: Prediction) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    """Return where a prediction came from: source, snapshot, run, version, then itself and who asked."""
    version = f"{NodeKind.VERSION}:{prediction.system}/{prediction.version}"
    nodes, edges = part(catalog, {version} | ends(catalog, version, upstream=True))
    itself = Node(
        id=f"{NodeKind.PREDICTION}:{prediction.request_id}",
        kind=NodeKind.PREDICTION,
        label=prediction.request_id,
    )
    nodes += (itself,)
    if any(node.id == version for node in nodes):
        edges += (Edge(source=version, target=itself.id),)
    if prediction.consumer:
        consumer = Node(
            id=f"{NodeKind.CONSUMER}:{prediction.consumer}", kind=NodeKind.CONSUMER, label=prediction.consumer
        )
        nodes += (consumer,)
        edges += (Edge(source=itself.id, target=consumer.id),)
    return nodes, edges
