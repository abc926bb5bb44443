"""Reusable types of text: names, addresses, regions, references."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, Strict, WithJsonSchema

from mlstrata.environments.redaction import is_public, shown
from mlstrata.environments.spec.base import Problem, refuse, suggestion, wrong


def _matching(pattern: str, allowed: str, longest: int, joint: str = "") -> tuple[PlainValidator, WithJsonSchema]:
    regex = re.compile(pattern)

    def check(value: object) -> str:
        if not isinstance(value, str):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            raise wrong(allowed, "put it in quotes" if number and regex.fullmatch(str(value)) else "")
        if len(value) > longest:
            raise wrong(allowed, f"shorten it to {longest} characters ({len(value)} now)")
        if not regex.fullmatch(value):
            raise wrong(allowed, _nearest(value, regex, longest, joint) if joint else "")
        return value

    schema = {"type": "string", "pattern": f"^(?:{pattern})$", "maxLength": longest}
    return PlainValidator(check), WithJsonSchema(schema)


def _nearest(value: str, regex: re.Pattern[str], longest: int, joint: str) -> str:
    """Propose the name that a person most likely meant: lower case, `joint` for whatever else is between."""
    if not is_public(value):
        return ""
    candidate = re.sub(r"[^a-z0-9]+", joint, value.strip().lower()).strip("-_")[:longest].strip("-_")
    return f"did you mean '{candidate}'?" if regex.fullmatch(candidate) else ""


def _unique(values: tuple[Any, ...]) -> tuple[Any, ...]:
    first: dict[Any, int] = {}
    refuse(
        Problem((index,), f"got {shown(value)}, which is in the list already", "remove one of them")
        for index, value in enumerate(values)
        if first.setdefault(value, index) != index
    )
    return values


def _text(longest: int) -> Callable[[object], str]:
    def check(value: object) -> str:
        allowed = f"text of 1 to {longest} characters"
        if not isinstance(value, str):
            raise wrong(allowed, "put it in quotes" if isinstance(value, bool | int | float) else "")
        if not value.strip():
            raise wrong(allowed, "say it in a sentence, or leave the key out")
        if len(value) > longest:
            raise wrong(allowed, f"shorten it ({len(value)} characters now)")
        return value

    return check


Unique = AfterValidator(_unique)

Name = Annotated[
    str,
    *_matching(r"[a-z][a-z0-9-]*[a-z0-9]", "2 to 40 of a-z, 0-9 and '-', starting with a letter", 40, "-"),
]
"""A name that becomes part of paths, URNs and Kubernetes labels; 40 leaves room for prefixes within their 63."""

Reference = Annotated[
    str,
    *_matching(
        r"[a-z][a-z0-9_-]*[a-z0-9]|[A-Za-z_][A-Za-z0-9_.]*[:.][A-Za-z_][A-Za-z0-9_]*",
        "a name of a-z, 0-9, '-' and '_', or MODULE:NAME",
        120,
    ),
]
"""What is known by a name, or brought as `module:name`."""

PinnedImage = Annotated[
    str,
    *_matching(r"[a-z0-9][A-Za-z0-9._/:-]*@sha256:[0-9a-f]{64}", "an image by its digest, NAME@sha256:…", 400),
]
"""An image that cannot change under its name."""

Identifier = Annotated[
    str, *_matching(r"[a-z][a-z0-9_]*", "1 to 64 of a-z, 0-9 and '_', starting with a letter", 64, "_")
]
"""A metric or a feature view: a name that is also used in code."""

Figure = Annotated[
    str,
    *_matching(
        r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?",
        "1 to 64 of a-z, 0-9 and '_', starting with a letter, of several outputs NAME.METRIC",
        129,
        "_",
    ),
]
"""A metric, of several answers with the name of one before it."""

Email = Annotated[
    str, *_matching(r"[^@\s,;<>]+@[^@\s,;<>.]+(?:\.[^@\s,;<>.]+)+", "an e-mail address such as team@example.com", 254)
]
Region = Annotated[
    str,
    *_matching(r"[a-z]{2,6}(?:-[a-z]+)*(?:-[0-9]{1,2})?", "a region such as eu or eu-central-1", 32),
]
"""A cloud's region, or a wider one such as `eu`."""

AwsRegion = Annotated[str, *_matching(r"[a-z]{2}(?:-[a-z]+)+-[0-9]", "an AWS region such as eu-central-1", 32)]
AwsAccount = Annotated[str, *_matching(r"[0-9]{12}", "an AWS account: 12 digits in quotes", 12)]
AwsRole = Annotated[
    str,
    *_matching(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}", "the ARN of a role of IAM", 600),
]
AwsMachine = Annotated[str, *_matching(r"[a-z][a-z0-9-]*[.][a-z0-9-]+", "a kind of machine such as m7i.xlarge", 40)]
DatabaseMachine = Annotated[
    str, *_matching(r"db[.][a-z][a-z0-9-]*[.][a-z0-9-]+", "a kind of database machine such as db.m7g.large", 40)
]
CacheMachine = Annotated[
    str, *_matching(r"cache[.][a-z][a-z0-9-]*[.][a-z0-9-]+", "a kind of cache machine such as cache.m7g.large", 40)
]
NodeImage = Annotated[
    str, *_matching(r"al2023@v[0-9]{8}", "an image of nodes with its day, such as al2023@v20261101", 20)
]
KubernetesVersion = Annotated[
    str, *_matching(r"1[.](?:3[2-9])", "a version of Kubernetes in quotes, such as '1.34'", 4)
]
Bucket = Annotated[
    str,
    *_matching(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket name: 3 to 63 of a-z, 0-9, '.' and '-'", 63),
]
Endpoint = Annotated[str, *_matching(r"https?://[^\s/@?#]+/?", "an http(s) address without path or credentials", 255)]
RegistryPath = Annotated[
    str,
    *_matching(
        r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)*",
        "a container registry such as registry.example.com/mirror, without https://",
        200,
    ),
]
Host = Annotated[
    str,
    *_matching(
        r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*", "a host such as db.example.com", 253
    ),
]
"""A host's name or IPv4 address, without scheme or port."""

DatabaseAddress = Annotated[
    str,
    *_matching(
        r"postgres://(?:[A-Za-z_][A-Za-z0-9_.-]*@)?(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?/[A-Za-z0-9_][A-Za-z0-9_.-]*",
        "a database such as postgres://reader@db.example.com:5432/sales, without a password",
        255,
    ),
]
"""A Postgres database, as its own clients write it: the role may stand in it, its password may not."""

Network = Annotated[
    str,
    *_matching(
        r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])/(?:3[0-2]|[12]?[0-9])",
        "a network such as 10.0.0.0/16",
        18,
    ),
]
"""A range of IPv4 addresses."""

Site = Annotated[str, *_matching(r"https?://[^\s/@?#]+(?:/[^\s@?#]+)?", "an http(s) address without credentials", 255)]


def _zone(value: str) -> str:
    if value not in (known := zoneinfo.available_timezones()):
        raise wrong(_ZONE, suggestion(value, known))
    return value


_ZONE = "UTC, or a zone of the IANA database such as Europe/Berlin"
Zone = Annotated[
    str,
    *_matching(r"UTC|[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+-]+){1,2}", _ZONE, 64),
    AfterValidator(_zone),
]
"""A time zone by its name: a fixed offset or a short name would be wrong for half of the year."""

Version = Annotated[
    str, *_matching(r"v?[0-9]+(?:\.[0-9]+){0,3}(?:[-+][0-9A-Za-z.-]+)?", "a version such as 1.17.1 or v1.9.0", 64)
]
MigProfile = Annotated[str, *_matching(r"[1-7]g\.[0-9]{1,3}gb", "a profile such as 1g.10gb or 3g.40gb", 9)]
Licence = Annotated[str, *_matching(r"[A-Za-z0-9][A-Za-z0-9.+-]*", "an SPDX identifier such as Apache-2.0", 64)]
Column = Annotated[
    str, *_matching(r"[^\x00-\x1f\x7f\s](?:[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f\s])?", "a column's name", 128)
]
Digest = Annotated[str, *_matching(r"sha256:[0-9a-f]{64}", "sha256: and 64 hexadecimal digits", 71)]
ApiVersion = Annotated[str, *_matching(r"v[1-9][0-9]{0,2}", "v1, v2, …", 4)]
Document = Annotated[
    str,
    *_matching(
        r"https://[^\s@]+|(?!/)(?!~)(?!(?:.*/)?\.\.(?:/|$))(?![A-Za-z][A-Za-z0-9+.-]*:)[^\x00-\x1f\x7f\\]+",
        "a path inside the repository, or an https address",
        512,
    ),
]
"""A document kept beside the environments, or on a site of the organisation."""

Text = Annotated[str, PlainValidator(_text(2000)), WithJsonSchema({"type": "string", "minLength": 1})]
"""A sentence or two for people."""

Word = Annotated[str, PlainValidator(_text(200)), WithJsonSchema({"type": "string", "minLength": 1})]
"""A short label for people."""

Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
