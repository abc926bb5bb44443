"""The requirements that training, scoring and serving run with: the shipped lock, or what is really installed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path

from mlstrata.environments.installation import lock
from mlstrata_steps import StepError
from mlstrata_steps.package import CONVERTED, SERVED_WITH, SERVER, entries, needed, normal, pinned

NAME = "requirements.txt"
SERVING = (*SERVED_WITH, *SERVER, *CONVERTED)


def requirements(folder: Path, roots: Iterable[str] = SERVING, *, whole: bool = False) -> Path:
    """Return the requirements of this installation.

    An installation from the lock has the lock. One from an index may have other versions: then every distribution that
    is installed is pinned as it is, with the lock's hashes where the version is the lock's, the same bytes each time.

    Args:
        folder: Where they are written unless they are the lock's own.
        roots: The distributions that must be pinned, with all that they need.
        whole: Pin all that is installed, also where the lock says the truth about `roots`.
    """
    there = dict(sorted((normal(one.metadata["Name"]), one.version) for one in distributions()))
    locked = entries(lock().read_text(encoding="utf-8"))
    true = {name: lines for name, lines in locked.items() if there.get(name) == pinned(lines)}
    try:
        needed(true, roots)
    except StepError:
        pass  # the lock does not say what is installed here
    else:
        if not whole:
            return lock()
    target = folder / NAME
    text = "".join(true.get(name, f"{name}=={version}\n") for name, version in there.items())
    if not target.is_file() or target.read_text(encoding="utf-8") != text:
        folder.mkdir(parents=True, exist_ok=True)
        staged = target.with_name(f".{NAME}.{os.getpid()}")
        staged.write_text(text, encoding="utf-8")
        staged.replace(target)
    return target
