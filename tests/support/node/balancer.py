"""A load balancer, and a client's network beside the node's: an address to which a wire leads."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.node.inside import Door
from tests.support.node.node import Node
from tests.support.patience import eventually

ADDRESS = "192.168.77.100"
"""Where services of the kind LoadBalancer answer; of more than one at the same port the first would."""
_HERE, _THERE = "192.168.78.1", "192.168.78.2"


class Balancer:
    """It gives each service that asks for one the address; kube-proxy does the rest, as with a cloud's."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def turn(self) -> None:
        """Tell the services that wait."""
        for one in self.node.listed("/api/v1/services"):
            if one["spec"].get("type") == "LoadBalancer" and not one["status"].get("loadBalancer"):
                status = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": ADDRESS}]}}})
                where = (one["metadata"]["name"], "-n", one["metadata"]["namespace"])
                self.node.kubectl("patch", "service", *where, "--subresource=status", "--type=merge", "-p", status)


class Outside:
    """A client's network: its packets come to the node by a wire, from an address that is none of the node's.

    Attributes:
        address: A port of this machine's loopback; what is sent there goes by that network to the load balancer.
        door: The way there.
    """

    def __init__(self, node: Node) -> None:
        node.spawn("outside", ["unshare", "--net", "sleep", "infinity"])
        (started,) = [process for name, process in node.processes if name == "outside"]
        children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
        own = Path(f"/proc/{node.pid}/ns/net").readlink()
        eventually(lambda: any(_network(pid) not in {None, own} for pid in children.read_text().split()))
        (pid,) = children.read_text().split()
        (numbers,) = [
            line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("NSpid:")
        ]
        enter = ("nsenter", f"--target={numbers[-1]}", "--net")
        for command in (
            ("ip", "link", "add", "outside0", "type", "veth", "peer", "name", "wire0", "netns", numbers[-1]),
            ("ip", "address", "add", f"{_HERE}/24", "dev", "outside0"),
            ("ip", "link", "set", "outside0", "up"),
            (*enter, "ip", "link", "set", "lo", "up"),
            (*enter, "ip", "address", "add", f"{_THERE}/24", "dev", "wire0"),
            (*enter, "ip", "link", "set", "wire0", "up"),
            (*enter, "ip", "route", "add", "default", "via", _HERE),
        ):
            done = node.inside(command)
            assert done.code == 0, (command, done.err)

        self.door = Door(int(pid), ADDRESS, 443)
        self.address = f"127.0.0.1:{self.door.port}"


def _network(pid: str) -> Path | None:
    try:
        return Path(f"/proc/{pid}/ns/net").readlink()
    except OSError:
        return None
