"""Resolves the digest that a tag stands for, by skopeo."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mlstrata.operations.images.skopeo import SKOPEO, insecure, require, said

_AT_ONCE, _TIMEOUT = 8, "60s"
_WHERE = re.compile(r"reading manifest \S+ in \S+: ")


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
    """Resolve every image's digest, several at a time, with the login of docker or podman on this machine.

    Args:
        wanted: The images.
        progress: Called with the key of each image that was asked for.

    Raises:
        UsageError: skopeo is not on PATH.
    """
    require(SKOPEO)
    digests: dict[str, str] = {}
    failures: dict[str, str] = {}
    asked = list(wanted)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        for one, (digest, failure) in zip(asked, pool.map(_digest, asked), strict=True):
            if digest:
                digests[one.key] = digest
            else:
                failures[one.key] = failure
            progress(one.key)
    return Resolved(digests, failures)


def _digest(image: Wanted) -> tuple[str, str]:
    """Return an image's digest, or the reason why there is none."""
    options = ["--raw", *insecure(image.where, "--tls-verify")]
    done = subprocess.run(
        [SKOPEO, "--command-timeout", _TIMEOUT, "inspect", *options, f"docker://{image.where}"],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        # Without the image's name: images that fail alike are reported once.
        reason = said(done.stderr.decode(errors="replace")).rpartition(f'{image.where}": ')[2]
        return "", f"{image.where.partition('/')[0]}: {_WHERE.sub('', reason)}"
    # The digest is that of the very bytes: what a registry claims of them plays no part.
    return f"sha256:{hashlib.sha256(done.stdout).hexdigest()}", ""
