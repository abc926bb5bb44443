"""Asks registries which digest a tag stands for: the OCI distribution API, as anybody may use it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_CHALLENGE = re.compile(r'(realm|service|scope)="([^"]*)"')
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?")
_AT_ONCE, _SECONDS = 8, 20.0
_OK, _UNAUTHORIZED, _NOT_FOUND = 200, 401, 404


@dataclass(frozen=True)
class Wanted:
    """An image to resolve.

    Attributes:
        key: Its full name and tag at upstream, the lock's key.
        where: Full name and tag where it is asked for, which may be a mirror.
    """

    key: str
    where: str


@dataclass(frozen=True)
class Resolved:
    """What registries answered.

    Attributes:
        digests: sha256:… by key.
        failures: Why not, by key.
    """

    digests: dict[str, str]
    failures: dict[str, str]


def resolve(wanted: Iterable[Wanted], progress: Callable[[str], None] = lambda _: None) -> Resolved:
    """Ask for every image's digest, several at a time.

    Args:
        wanted: The images.
        progress: Called with the key of each image that was asked for.
    """
    import httpx

    digests: dict[str, str] = {}
    failures: dict[str, str] = {}
    asked = list(wanted)
    with (
        httpx.Client(timeout=_SECONDS, follow_redirects=True) as client,
        ThreadPoolExecutor(max_workers=_AT_ONCE) as pool,
    ):
        for one, (digest, failure) in zip(asked, pool.map(lambda image: _asked(client, image), asked), strict=True):
            if digest:
                digests[one.key] = digest
            else:
                failures[one.key] = failure
            progress(one.key)
    return Resolved(digests, failures)


def _asked(client: httpx.Client, image: Wanted) -> tuple[str, str]:
    """Return an image's digest, or the reason why there is none."""
    import httpx

    host, _, rest = image.where.partition("/")
    name, _, tag = rest.rpartition(":")
    try:
        return _digest(client, _base(host), name, tag)
    except httpx.HTTPError as error:
        return "", f"{host} cannot be reached ({type(error).__name__})"


def _base(host: str) -> str:
    """Return the address of a registry; Docker's answers under another name, one on this machine speaks plain http."""
    if host == "docker.io":
        return "https://registry-1.docker.io"
    return f"{'http' if _LOOPBACK.fullmatch(host) else 'https'}://{host}"


def _digest(client: httpx.Client, base: str, name: str, tag: str) -> tuple[str, str]:
    address, headers = f"{base}/v2/{name}/manifests/{tag}", {"Accept": _ACCEPT}
    answer = client.get(address, headers=headers)
    if answer.status_code == _UNAUTHORIZED and (token := _token(client, answer.headers.get("WWW-Authenticate", ""))):
        answer = client.get(address, headers={**headers, "Authorization": f"Bearer {token}"})
    if answer.status_code == _UNAUTHORIZED:
        return "", f"{base} asks for credentials; digests are resolved without any"
    if answer.status_code == _NOT_FOUND:
        return "", f"{base} has no {name}:{tag}"
    if answer.status_code != _OK:
        return "", f"{base} answered {answer.status_code}"
    # The digest is that of the very bytes: what the registry says of them is checked, not believed.
    digest = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    said = answer.headers.get("Docker-Content-Digest", digest)
    return (digest, "") if said == digest else ("", f"{base} says {said} of a manifest whose digest is {digest}")


def _token(client: httpx.Client, challenge: str) -> str:
    """Get the token that a registry hands to anybody; empty where it hands out none."""
    parts = dict(_CHALLENGE.findall(challenge))
    if not challenge.lower().startswith("bearer ") or not (realm := parts.pop("realm", "")):
        return ""
    answer = client.get(realm, params=parts)
    if answer.status_code != _OK:
        return ""
    given = answer.json()
    return str(given.get("token") or given.get("access_token") or "")
