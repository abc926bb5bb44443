"""`python init.py FOLDER GROUP`: process 1 of the node's namespaces. It makes them a machine, and reaps.

It runs without the project: only the standard library, no path of the checkout.
"""

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
ADDRESS = "192.168.77.1"
_NEW_CGROUPS = 0x02000000
# All pods together count as several processes beside this machine's others, not as one.
SHARES = {"cpu.shares": 4096, "cpu.weight": 400}
# What a kubelet and containerd's network library write beside the folders that they are given.
SCRATCH = ("/run", "/var/lib/kubelet", "/var/lib/cni", "/var/log/containers", "/var/log/pods")
# Settings of the whole machine that a kubelet changes: it finds them as it wants them, and the machine keeps its own.
SETTINGS = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}


def controllers() -> list[Path]:
    """Return the roots of the machine's control groups: one in version 2, one for each controller before."""
    if (CGROUPS / "cgroup.procs").exists():
        return [CGROUPS]
    return sorted(one for one in CGROUPS.iterdir() if (one / "cgroup.procs").exists() and not one.is_symlink())


def do(*command: str) -> None:
    """Run a command that must succeed."""
    subprocess.run(command, check=True)


def own_cgroups(name: str) -> None:
    """Enter a group of our own and see it as the root: all that the node makes lie in one folder of the machine's."""
    roots = controllers()
    for root in roots:
        group = root / name
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if (group / setting).exists() and not (group / setting).read_text().strip():
                (group / setting).write_text((root / setting).read_text())
        for setting, share in SHARES.items():
            if (group / setting).exists():
                (group / setting).write_text(str(share))
        (group / "cgroup.procs").write_text("0")
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_CGROUPS):
        raise OSError(ctypes.get_errno(), "no cgroup namespace of its own")
    kinds = {
        line.split()[1]: (line.split()[2], line.split()[3]) for line in Path("/proc/mounts").read_text().splitlines()
    }
    for root in roots:
        kind, options = kinds[str(root)]
        chosen = [one for one in options.split(",") if one not in {"rw", "relatime", "nosuid", "nodev", "noexec"}]
        do("umount", str(root))  # the same file system is not mounted over itself
        do("mount", "-t", kind, *(["-o", ",".join(chosen)] if kind == "cgroup" else []), "mlstrata", str(root))


def machine(folder: Path, group: str) -> None:
    """Give the namespaces file systems, a network with an address, and a name."""
    own_cgroups(group)
    do("mount", "--make-rshared", "/")
    for name in SCRATCH:
        Path(name).mkdir(parents=True, exist_ok=True)
        do("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", name)
    Path("/run/lock").mkdir()
    for name, value in SETTINGS.items():
        file = folder / "settings" / name.replace("/", "-")
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{value}\n")
        do("mount", "--bind", str(file), f"/proc/sys/{name}")
    do("ip", "link", "set", "lo", "up")
    # A pair, since not every kernel has an interface without a wire.
    do("ip", "link", "add", "node0", "type", "veth", "peer", "name", "node0p")
    do("ip", "link", "set", "node0p", "up")
    do("ip", "address", "add", f"{ADDRESS}/24", "dev", "node0")
    do("ip", "link", "set", "node0", "up")
    do("ip", "route", "add", "default", "via", ADDRESS, "dev", "node0")
    for name in ("net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"):
        Path("/proc/sys", name).write_text("1")
    do("hostname", "node-1")


def main(folder: Path, group: str) -> None:
    """Make the machine, say so, and reap what its own parents left."""
    machine(folder, group)
    (folder / "machine").touch()
    while True:
        try:
            os.wait()
        except ChildProcessError:
            time.sleep(1)  # nobody is orphaned yet


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
