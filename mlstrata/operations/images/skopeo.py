"""skopeo: reads and copies images with the login of docker or podman on this machine."""

from __future__ import annotations

import re
import shutil

from mlstrata.operations.errors import UsageError

SKOPEO = "skopeo"
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?")
_MESSAGE = re.compile(r'level=(?:fatal|error) msg="((?:[^"\\]|\\.)*)"')


def require(tool: str) -> None:
    """See that a tool is there.

    Raises:
        UsageError: It is not on PATH.
    """
    if shutil.which(tool) is None:
        raise UsageError(f"{tool} is not on PATH; install it with this machine's package manager")


def insecure(image: str, option: str) -> list[str]:
    """Return `option` switched off where a registry on this machine is asked, which speaks plain HTTP; else nothing."""
    return [f"{option}=false"] if _LOOPBACK.fullmatch(image.partition("/")[0]) else []


def said(stderr: str) -> str:
    """Return the reason in a tool's standard error: skopeo's last message, else the last line."""
    if messages := _MESSAGE.findall(stderr):
        return str(messages[-1]).replace('\\"', '"')
    lines = stderr.strip().splitlines()
    return lines[-1] if lines else "it gave no reason"
