"""A system's own environment: what its lock adds to ours, in a folder of its own, built once for each lock.

`python -m mlstrata.services.own_environment --lock FILE --home FOLDER -- ARGUMENTS` builds it where it is not there yet
and goes on as its interpreter with these arguments. It stands on this installation, so what both name must be of one
version; what only the lock names is installed by its hashes, as wheels, so no code of a package runs to build it.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from importlib.util import find_spec
from pathlib import Path

from mlstrata.environments.requirements import Pin, RequirementsError, read
from mlstrata.files import locked

FOLDER, READY = "data/environments", ".ready"
COMBINED = "requirements.txt"
"""The lock of all that the environment holds, ours first."""

_SECONDS = 1800


def ensure(lock: Path, home: Path) -> Path:
    """Build the environment of a lock unless it is there; return its interpreter.

    Args:
        lock: The system's hashed requirements.
        home: The home folder of the environment (dev, prod, …) whose system it is.

    Raises:
        RequirementsError: The lock cannot be had with what is installed here; the message names what is in the way.
    """
    if (Path(sys.prefix) / READY).exists():
        return Path(sys.executable)  # this is one: what started it chose it by the lock
    pins = read(lock)
    added = added_by(pins, lock)
    ours = "\n".join(sorted(f"{one.metadata['Name']}=={one.version}" for one in distributions()))
    key = hashlib.sha256("\0".join((lock.read_text(encoding="utf-8"), sys.prefix, sys.version, ours)).encode())
    folder = home / FOLDER / key.hexdigest()[:16]
    python = folder / "bin/python"
    with locked(folder.with_suffix(".lock"), shared=True):
        if (folder / READY).exists():
            (folder / READY).touch()  # it is kept for some time after its last use
            return python
    with locked(folder.with_suffix(".lock")):
        if not (folder / READY).exists():
            shutil.rmtree(folder, ignore_errors=True)
            try:
                _build(folder, python, added, lock)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            (folder / READY).touch()
    return python


def _hold(folder: Path) -> None:
    """Keep an environment from being removed as long as this process lives, whatever it goes on as."""
    handle = os.open(folder.with_suffix(".lock"), os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_SH)
    os.set_inheritable(handle, True)


def added_by(pins: Mapping[str, Pin], lock: Path) -> dict[str, Pin]:
    """Return what a lock adds to this installation.

    Raises:
        RequirementsError: It names another version of something that is installed here.
    """
    there = {name: _installed(name) for name in pins}
    if other := [name for name, one in pins.items() if there[name] not in {None, one.version}]:
        told = "; ".join(f"{name} {pins[name].version} is {there[name]} in mlstrata's own" for name in other[:5])
        raise RequirementsError(f"{lock}: {told}; {fix_of(lock)}")
    return {name: one for name, one in pins.items() if there[name] is None}


def fix_of(lock: Path) -> str:
    """Say how a lock is made that goes with this installation."""
    from mlstrata.environments.installation import lock as ours

    return f"uv pip compile --generate-hashes --constraint {ours()} {lock.with_suffix('.in')} -o {lock}"


def interpreter_of(lock: Path | None, home: Path) -> Path:
    """Return the interpreter of a system: this one where it has no lock of its own."""
    return Path(sys.executable) if lock is None else ensure(lock, home)


def _build(folder: Path, python: Path, added: Mapping[str, Pin], lock: Path) -> None:
    own_pip = find_spec("pip") is None
    venv.EnvBuilder(symlinks=True, with_pip=own_pip).create(folder)
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    packages = Path(paths["purelib"])
    ours = sysconfig.get_paths()["purelib"]
    # Its own come first; what an editable installation hooks in is processed as it is at home.
    (packages / "mlstrata-base.pth").write_text(f"import site; site.addsitedir({ours!r})\n", encoding="utf-8")
    wanted = folder / "added.txt"
    wanted.write_text("".join(one.lines for one in added.values()), encoding="utf-8")
    if added:
        pip = [str(python), "-m", "pip"] if own_pip else [sys.executable, "-m", "pip", "--python", str(python)]
        command = [
            *pip,
            "install",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--only-binary=:all:",
            "-r",
            str(wanted),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            raise RequirementsError(f"{lock}: its packages did not come within {_SECONDS} s") from None
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
            raise RequirementsError(f"{lock}: {' '.join(said[-2:])[:400] or 'pip said nothing'}")
    missing = list(_unmet(added, distributions(path=[str(packages)])))
    if missing:
        raise RequirementsError(f"{lock}: {'; '.join(missing[:3])}; {fix_of(lock)}")
    _combine(folder, added)


def _unmet(added: Mapping[str, Pin], installed: Iterable[Distribution]) -> Iterator[str]:
    """Yield what the added distributions need and neither they nor ours have."""
    from packaging.requirements import Requirement

    from mlstrata_steps.package import normal

    for one in installed:
        for text in one.requires or []:
            needs = Requirement(text)
            if needs.marker is not None and not needs.marker.evaluate({"extra": ""}):
                continue
            name = normal(needs.name)
            there = added[name].version if name in added else _installed(name)
            if there is None:
                yield f"{one.name} {one.version} needs {needs.name}, which it does not hold"
            elif not needs.specifier.contains(there, prereleases=True):
                yield f"{one.name} {one.version} needs {needs}, and {there} is there"


def _combine(folder: Path, added: Mapping[str, Pin]) -> None:
    from mlstrata.services.runner.locked import requirements
    from mlstrata_steps.package import OWN_PART

    ours = requirements(folder / "base", whole=True).read_text(encoding="utf-8")
    own = "".join(added[name].lines for name in sorted(added))
    (folder / COMBINED).write_text(f"{ours}{OWN_PART}\n{own}", encoding="utf-8")


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main() -> None:
    """Build what is named and go on as it; exit code 2 where it cannot be built."""
    parser = argparse.ArgumentParser(prog="python -m mlstrata.services.own_environment")
    parser.add_argument("--lock", type=Path, required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    try:
        python = ensure(given.lock, given.home)
    except (RequirementsError, OSError) as error:
        sys.stderr.write(f"Error: cannot be loaded: {error}\n")
        sys.exit(2)
    if python != Path(sys.executable):
        _hold(python.parents[1])
    arguments = given.arguments[1:] if given.arguments[:1] == ["--"] else given.arguments
    os.execv(python, [str(python), *arguments])  # noqa: S606 - the interpreter that was just built


if __name__ == "__main__":
    main()
