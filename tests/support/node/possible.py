"""Whether this machine can run a Kubernetes node at all: `python possible.py` says why not, and exits with 2 then.

It runs without the project: only the standard library, so that it is asked before anything is built.
"""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
SPACES = ("unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--mount-proc")
# What the node's network is made of, tried in a network that ends with the command.
WIRED = "ip link add near0 type veth peer name far0 && ip link add pods0 type bridge && ip link set near0 master pods0"
LAYERED = "mount -t tmpfs tmpfs /mnt && mkdir /mnt/l /mnt/u /mnt/w /mnt/m && mount -t overlay -o {} overlay /mnt/m"
FOLDERS = "lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w"

NO_NODE = "no Kubernetes node can run here"
"""Begins what is said where none can."""
MACHINE = "run the tests in a virtual machine, or in a privileged container"


def lacking() -> str:
    """Return why no node can run here, in a sentence with what to do; empty: one can."""
    return next((why for look in (_root, _namespaces, _groups, _network, _layers) if (why := look())), "")


def _root() -> str:
    return "" if os.geteuid() == 0 else f"it needs root, and this is user {os.geteuid()}: run the tests as root"


def _namespaces() -> str:
    return _tried([*SPACES, "true"], "namespaces of its own", MACHINE)


def _groups() -> str:
    """Look for the root of the control groups, and whether a group can be made in it."""
    here = [CGROUPS] if (CGROUPS / "cgroup.procs").exists() else sorted(CGROUPS.glob("*/cgroup.procs"))
    if not here:
        return f"it needs control groups, and {CGROUPS} has none: mount them"
    root = here[0] if here[0].is_dir() else here[0].parent
    group = root / f"mlstrata-node-try-{uuid.uuid4().hex[:8]}"
    try:
        group.mkdir()
        group.rmdir()
    except OSError as error:
        return f"it needs to make control groups, and {root} refuses ({error.strerror}): {MACHINE}"
    return ""


def _network() -> str:
    return _tried([*SPACES, "sh", "-c", WIRED], "veth and a bridge", "load the kernel's modules veth and bridge")


def _layers() -> str:
    return _tried([*SPACES, "sh", "-c", LAYERED.format(FOLDERS)], "overlayfs", "load the kernel's module overlay")


def _tried(command: list[str], what: str, fix: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return f"it needs {command[0]} on PATH (util-linux, iproute2): install it"
    said = (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1]
    return f"it needs {what}, and this machine refuses ({said}): {fix}" if done.returncode else ""


def main(ask: Callable[[], str] = lacking) -> int:
    """Say why not; 2 where no node can run here."""
    if why := ask():
        sys.stderr.write(f"{NO_NODE}: {why}\n")
    return 2 if why else 0


if __name__ == "__main__":
    sys.exit(main())
