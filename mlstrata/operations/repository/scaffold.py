"""`mlstrata init`: a small repository that validates, plans, passes its checks and trains a model."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

from mlstrata.operations.errors import UsageError

TEMPLATE = Path(__file__).with_name("template")
_HIDDEN = "dot."  # files of packages do not start with a dot
_TAKEN = re.compile(r"\$(name|version|pulumi|until)\b")
_EXEMPT = timedelta(days=180)
_INSTALLED = ("mlstrata", "mlstrata-steps", "pulumi-embedded")  # a project of this name would take its own place


def create(folder: Path) -> tuple[Path, ...]:
    """Write a repository into a new or empty folder; a fresh clone with nothing but `.git` counts as empty.

    Returns:
        The files, in order.

    Raises:
        UsageError: Something is there already, or the folder cannot be written.
    """
    try:
        held = sorted(path.name for path in folder.iterdir() if path.name != ".git") if folder.exists() else []
    except NotADirectoryError:
        raise UsageError(f"{folder}: is a file; name a new or empty folder") from None
    if held:
        more = ", …" if len(held) > 3 else ""  # noqa: PLR2004 - enough to recognise the folder by
        raise UsageError(f"{folder}: is not empty ({', '.join(held[:3])}{more}); name a new or empty folder")
    values = {"name": project_name(folder.resolve().name), "version": version("mlstrata")}
    values["pulumi"] = version("pulumi")  # a CLI as old as the SDK, as `mlstrata doctor` says
    values["until"] = (datetime.now(tz=UTC).date() + _EXEMPT).isoformat()
    written = []
    for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        target = folder.joinpath(*map(_real, source.relative_to(TEMPLATE).parts))
        text = _TAKEN.sub(lambda found: values[found[1]], source.read_text(encoding="utf-8"))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{target}: cannot be written: {error.strerror}; choose another folder") from None
        written.append(target)
    return tuple(written)


def _real(part: str) -> str:
    """Return a file's name as it is in a repository: with its dot, without what hides it from our own tools."""
    return (f".{part.removeprefix(_HIDDEN)}" if part.startswith(_HIDDEN) else part).removesuffix(".in")


def project_name(folder: str) -> str:
    """Return a name that Pulumi, Kubernetes and Python's packaging all take, from a folder's."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")
    own = re.match(r"[a-z]", name) and name not in _INSTALLED
    return (name if own else f"ml-{name}".rstrip("-"))[:30].rstrip("-")
