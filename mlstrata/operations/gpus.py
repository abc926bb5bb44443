"""The GPUs of this machine, as their driver lists them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

PROGRAM = "nvidia-smi"
_FIELDS = ("index", "name", "memory.total", "memory.used", "utilization.gpu", "driver_version")
_PATIENCE_S = 20


@dataclass(frozen=True)
class Gpu:
    """A GPU.

    Attributes:
        index: Its number on the machine, from 0.
        name: What it is.
        memory_mib: Its memory, MiB.
        used_mib: How much of that is in use, MiB.
        busy_percent: How busy it is; None: it does not say.
        driver: Version of its driver.
    """

    index: int
    name: str
    memory_mib: int
    used_mib: int
    busy_percent: int | None
    driver: str


@dataclass(frozen=True)
class Gpus:
    """What GPUs a machine has.

    Attributes:
        found: Them.
        why_none: Why there are none; empty where there are some.
    """

    found: tuple[Gpu, ...] = ()
    why_none: str = ""

    @property
    def in_words(self) -> str:
        """Return them as a line, equal ones together."""
        if not self.found:
            return f"none: {self.why_none}"
        names = [f"{one.name} ({one.memory_mib / 1024:.0f} GiB)" for one in self.found]
        return ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))


def of_machine() -> Gpus:
    """Ask the driver for the machine's GPUs; whatever it cannot say is said, and nothing fails by it."""
    if not shutil.which(PROGRAM):
        return Gpus(why_none=f"{PROGRAM} is not on PATH")
    command = [PROGRAM, f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Gpus(why_none=f"{PROGRAM} does not answer ({type(error).__name__})")
    if done.returncode:
        said = (done.stdout.strip() or done.stderr.strip() or "it said nothing").splitlines()[0]
        return Gpus(why_none=f"{PROGRAM} fails: {said}")
    try:
        found = tuple(_gpu(line) for line in done.stdout.splitlines() if line.strip())
    except ValueError:
        return Gpus(why_none=f"{PROGRAM} answers in a form that is not known")
    return Gpus(found) if found else Gpus(why_none=f"{PROGRAM} lists no GPU")


def _gpu(line: str) -> Gpu:
    """Read one line of the driver's list.

    Raises:
        ValueError: It has not the fields that were asked for.
    """
    index, name, total, used, busy, driver = (one.strip() for one in line.split(","))
    return Gpu(int(index), name, int(total), int(used), int(busy) if busy.isdigit() else None, driver)
