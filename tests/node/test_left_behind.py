"""A node ends whole: by its own stop, and when whoever runs the tests is killed."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.node.node import CACHE, Node, leftovers, sweep
from tests.support.node.pods import namespace, pod
from tests.support.patience import eventually

pytestmark = pytest.mark.usefixtures("machine")

# As a run of the tests has it: the first line tells process 1 of the node, then it waits to be killed.
RUN = """
import sys, types, pathlib
tests = types.ModuleType("tests")
tests.__path__ = [sys.argv[1]]
sys.modules["tests"] = tests
from tests.support.node.node import Node
node = Node(pathlib.Path(sys.argv[2]))
node.start()
print(node.pid, flush=True)
sys.stdin.read()
node.stop()
"""


def seen() -> tuple[str, ...]:
    """Return this machine's interfaces, mounts, rules and settings, as a node could change them."""
    asked = [["ip", "-o", "link"], ["cat", "/proc/self/mounts"], ["ip", "route"]]
    settings = ["net/ipv4/ip_forward", "vm/overcommit_memory", "kernel/panic", "kernel/keys/root_maxkeys"]
    node = Node(CACHE)
    texts = [subprocess.run(one, capture_output=True, text=True, check=True).stdout for one in asked]
    nft = [str(node.debian / "usr/sbin/nft"), "list", "ruleset"]
    texts += [subprocess.run(nft, env=node.environment, capture_output=True, text=True, check=True).stdout]
    return *texts, *(Path("/proc/sys", name).read_text(encoding="utf-8") for name in settings)


def inside(pid: int) -> list[int]:
    """Return the processes in the namespace of a process."""
    own = Path(f"/proc/{pid}/ns/pid").readlink()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "ns/pid").readlink() == own:
                found.append(int(path.name))
        except OSError:
            continue  # it ended meanwhile
    return found


@pytest.mark.parametrize("how", [signal.SIGKILL, None], ids=["killed", "stopped"])
def test_nothing_of_a_node_is_left(how, tmp_path):
    before, group = seen(), Node(tmp_path).group
    arguments = [sys.executable, "-c", RUN, str(Path(__file__).parents[1]), str(tmp_path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        there = inside(pid)
        assert len(there) > 10, "etcd, the API server, containerd, the kubelet, …"
        assert leftovers(group)
        if how is None:
            run.stdin.close()
        else:
            run.send_signal(how)
    assert run.returncode == (-how if how else 0)
    eventually(lambda: not [one for one in there if Path(f"/proc/{one}").exists()])
    if how:
        sweep(group)  # as the next node does first
    assert not leftovers(group)
    assert seen() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == (
        ["containerd", "home", "lock"] if how else ["containerd", "lock"]
    )


def test_a_node_starts_after_one_that_was_killed_with_pods(tmp_path):
    first = Node(tmp_path)
    try:
        first.start()
        first.must([namespace("left"), pod("one", "left")])
        assert first.kubectl("wait", "-n", "left", "--for=condition=Ready", "--timeout=900s", "pod/one").code == 0
    finally:
        for _, process in first.processes[:1]:
            process.kill()
        first._held.close()  # as the end of the process does
    second = Node(tmp_path)
    try:
        second.start()
        listed = second.ctr("containers", "list", "--quiet").split()
        pods = second.kubectl("get", "pods", "-A", "-o", "name").out.split()
        assert pods == [one for one in pods if "coredns" in one]
        assert len(listed) == 2 * len(pods), "a pod's sandbox and its container"
    finally:
        second.stop()
