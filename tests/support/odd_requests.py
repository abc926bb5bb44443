"""Requests as nobody means them: bodies that are nearly JSON, values of every kind, headers of other worlds."""

from __future__ import annotations

import json
import os
import random
from typing import Any

SECRET = "hunter2hunter2"
COUNT = int(os.environ.get("MLSTRATA_MUTATIONS", "150"))
ALLOWED = frozenset({*range(200, 300), *range(400, 500), 503})
"""What a request may get; 503 is documented for a version that cannot answer."""

_TYPES = ("application/json", "application/json; charset=utf-16", "text/plain", "application/x-www-form-urlencoded")
_TYPES += ("multipart/form-data", "application/grpc-web", "application/xml", "", ";", "application/json, text/html")
_HEADERS = (
    ("content-encoding", "gzip"), ("content-encoding", "identity"), ("content-encoding", SECRET),
    ("accept", "text/html;q=0.9, */*;q=nan"), ("accept-encoding", "br, gzip;q=0, *"), ("cookie", SECRET),
    ("x-request-id", SECRET), ("traceparent", f"00-{SECRET}"), ("x-mlstrata-version", SECRET),
    ("content-language", "tlh"), ("range", "bytes=0-1,5-"), ("if-match", "*"), ("origin", f"https://{SECRET}"),
    ("x-large", "x" * 8000), ("x-http-method-override", "DELETE"), ("forwarded", f"for={SECRET}"),
)  # fmt: skip


def odd_request(seed: int, example: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a request.

    Args:
        seed: The same seed gives the same request.
        example: The body of a good one, which most are made from: `{"instances": [{column: value}]}`.
    """
    rng = random.Random(seed)  # noqa: S311 - which mistakes are made is no secret
    headers = dict(rng.sample(_HEADERS, rng.choice((0, 0, 0, 1, 2))))
    if rng.random() < 0.4:
        headers["content-type"] = rng.choice(_TYPES)
    return _spoilt(_body(example, rng), rng), headers


def _value(rng: random.Random) -> str:
    """Return a value as it stands in JSON, or nearly."""
    depth = rng.choice((5, 200, 5000))
    return rng.choice(
        (
            "null", "true", "-0", "1e999", "-1e-999", "NaN", "Infinity", "9" * 400, "1" * 5000, "0x10", "01", "1.",
            '""', f'"{SECRET}"', f'{{"password": "{SECRET}"}}', f'["{SECRET}"]', '"\\ud800"', '"\\u0000"',
            '"\u202e\u0000"', "[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth, "[1, [2, [3]]]", "{}",
            '"1e5"', '"=cmd|calc"', '"2027-02-31"', "1_000", "1,5", "\'no\'", "undefined", "1e5", "5.0", "-1", "1.5",
        )
    )  # fmt: skip


def _body(example: dict[str, Any], rng: random.Random) -> str:
    if rng.random() < 0.15:
        return _value(rng)
    instance = dict(example["instances"][0])
    pairs = [(json.dumps(name), json.dumps(value)) for name, value in instance.items()]
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(pairs)) if pairs else 0
        how = rng.random()
        if how < 0.5 and pairs:
            pairs[at] = (pairs[at][0], _value(rng))
        elif how < 0.65 and pairs:
            pairs.insert(rng.randrange(len(pairs) + 1), (pairs[at][0], _value(rng)))  # a key given twice
        elif how < 0.8 and pairs:
            pairs.pop(at)
        else:
            name = rng.choice(
                (SECRET, "password", "", "__class__", "probability", pairs[at][0].strip('"') + "_" if pairs else "x")
            )
            pairs.append((json.dumps(name), _value(rng)))
    row = "{" + ", ".join(f"{name}: {value}" for name, value in pairs) + "}"
    rows = ", ".join([row] * rng.choice((0, 1, 1, 1, 2, 300)))
    more = rng.choice(("", "", "", f', "token": "{SECRET}"', ', "instances": []'))
    return rng.choice((f'{{"instances": [{rows}]{more}}}',) * 6 + (f"[{rows}]", row, f'{{"instance": [{rows}]}}'))


def _spoilt(text: str, rng: random.Random) -> bytes:
    content = text.encode("utf-8", "replace")
    at = rng.randrange(len(content) + 1)
    spoils = (b"\xef\xbb\xbf" + content, content[:at], content + content, content[:at] + b"\xff\x00" + content[at:])
    spoils += (b"", b"\x1f\x8b" + content, content.replace(b":", b"="), text.encode("utf-16", "replace"))
    return rng.choice(spoils) if rng.random() < 0.25 else content
