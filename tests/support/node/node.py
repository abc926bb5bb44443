"""A Kubernetes node: a control plane, containerd, a kubelet, services, names, volumes and enforced network policies."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from mlstrata.files import locked
from tests.support.cluster import ADMIN, Answer, Cluster, die_with_parent
from tests.support.go_tools import places, programs
from tests.support.node import files
from tests.support.node.images import Image, archive, layer, relabelled
from tests.support.node.init import ADDRESS, controllers
from tests.support.node.inside import Door, connect
from tests.support.patience import PATIENCE, eventually
from tests.support.ports import LOOPBACK

OBJECTS = Path(__file__).parents[2] / "node/objects"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlstrata/tools"
CACHE = Path(os.environ.get("MLSTRATA_TOOLS") or _CACHE) / "node"
PORT = 6443
# What the shell's image has beside the shell.
APPLETS = ("cat", "mkdir", "nc", "nslookup", "rm", "sh", "sleep", "wget")
USER = "10001"


class Node(Cluster):
    """A cluster of one node. Of those with the same folder one runs at a time: the next waits for it.

    Args:
        cache: Its folder; images are kept there from one node to the next.
        people: Users beside the administrator, with the group that each is in.

    Attributes:
        pid: Process 1 of its namespaces, as this machine sees it.
        group: The control group that it lies in.
        debian: The folder with Debian's programs.
    """

    def __init__(self, cache: Path = CACHE, people: Mapping[str, str] | None = None) -> None:
        super().__init__(cache / "home")
        self.programs |= programs("node")
        self.cache, self.debian = cache, CACHE / "debian"
        self.people = dict(people or {})
        users = (f"system:node:{files.NODE}", "system:kube-proxy", *self.people)
        self.tokens |= {user: secrets.token_hex(16) for user in users}
        self.pid = 0
        self.group = f"mlstrata-node-{hashlib.sha256(bytes(cache.resolve())).hexdigest()[:8]}"
        self._held = ExitStack()
        self._unshared: subprocess.Popen[bytes] | None = None
        self.door: Door | None = None

    def start(self) -> None:
        """Start everything, and wait until the node is ready and has names, volumes and policies."""
        self._held.enter_context(locked(self.cache / "lock"))
        sweep(self.group)
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(mode=0o700)
        users = files.Users(self.tokens, self.people)
        files.write_all(self.home, self.cache / "containerd", self.debian, users, f"https://{ADDRESS}:{PORT}")
        self._power()
        self._import(self._own_images())
        for container in self.ctr("containers", "list", "--quiet").split():
            self.ctr("containers", "delete", container)  # of a node that was killed
        self._agents()
        for path in sorted(OBJECTS.glob("*.yaml")):
            text = path.read_text(encoding="utf-8").replace("{volumes}", str(self.home / "volumes"))
            self.must(list(yaml.safe_load_all(text)))
        self._beside()

    def restart(self) -> None:
        """End everything at once, as a machine does that loses its power, and start it again with what its disk has."""
        self._end_all()
        self._power()
        self._agents()
        self._beside()

    def _power(self) -> None:
        self._unshare()
        self.run("containerd", f"--config={self.home}/containerd.toml")
        self._control_plane()

    def _beside(self) -> None:
        self._volumes()
        self._wait("the node", lambda: self._condition("node", files.NODE, "", "Ready"))
        self.run("network-policies", f"{self.home}/admin.conf", files.NODE, files.SERVICES)
        self._wait("the name server", lambda: self._condition("deployment", "coredns", "kube-system", "Available"))

    def _unshare(self) -> None:
        init = Path(__file__).with_name("init.py")
        kinds = ("--net", "--mount", "--pid", "--uts", "--ipc")
        ends = ("--fork", "--mount-proc", "--propagation=private", "--kill-child")
        # Debian's Python or whichever: the init needs nothing of the project, and the environment of its own nothing.
        self._unshared = self._popen(
            "init", ["unshare", *kinds, *ends, sys.executable, "-I", str(init), str(self.home), self.group]
        )
        self.processes.append(("init", self._unshared))
        self._wait("the namespaces", (self.home / "machine").exists)
        (self.home / "machine").unlink()
        own = self._unshared.pid
        (child,) = Path(f"/proc/{own}/task/{own}/children").read_text(encoding="utf-8").split()
        self.pid = int(child)

    def _control_plane(self) -> None:
        etcd, home = "http://127.0.0.1:2379", self.home
        peers = "http://127.0.0.1:2380"
        self.run(
            "etcd",
            f"--data-dir={home}/etcd",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",
        )
        self.run(
            "kube-apiserver",
            f"--etcd-servers={etcd}",
            f"--secure-port={PORT}",
            "--bind-address=0.0.0.0",
            f"--advertise-address={ADDRESS}",
            f"--cert-dir={home}/certificates",
            f"--service-account-key-file={home}/accounts.key",
            f"--service-account-signing-key-file={home}/accounts.key",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--token-auth-file={home}/tokens.csv",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--service-cluster-ip-range={files.SERVICES}",
            "--allow-privileged=true",
            "--feature-gates=WatchList=false",  # as in Cluster
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-client-certificate={home}/kubelet-client.crt",
            f"--kubelet-client-key={home}/kubelet-client.key",
        )
        if self.door is None:
            self.door = Door(self.pid, ADDRESS, PORT)
        self.door.pid = self.pid  # of a node that is started again: its clients know the port
        self.port = self.door.port
        self.login(self.kubeconfig, ADMIN)
        self._wait("the API server", lambda: self._get("/readyz") == "ok")
        self.run(
            "kube-controller-manager",
            f"--kubeconfig={home}/admin.conf",
            f"--service-account-private-key-file={home}/accounts.key",
            f"--root-ca-file={home}/certificates/apiserver.crt",
            "--use-service-account-credentials=true",
            "--allocate-node-cidrs=true",
            f"--cluster-cidr={files.PODS}",
            "--controllers=*,-service-lb-controller,-node-route-controller,-cloud-node-lifecycle-controller",
            f"--cluster-signing-cert-file={home}/ca.crt",
            f"--cluster-signing-key-file={home}/ca.key",
            "--leader-elect=false",
            "--secure-port=0",
        )
        self.run("kube-scheduler", f"--kubeconfig={home}/admin.conf", "--leader-elect=false", "--secure-port=0")
        self._wait("the default account", lambda: self.kubectl("get", "sa", "default", "-n", "default").code == 0)

    def login(self, path: Path, user: str) -> None:
        """Write the kubeconfig of a user on a workstation, with the one context `node`."""
        files.kubeconfig(path, f"https://127.0.0.1:{self.port}", user, self.tokens[user])

    def _agents(self) -> None:
        self._kubelet()
        self.run("kube-proxy", f"--config={self.home}/kube-proxy.yaml", f"--hostname-override={files.NODE}")

    def _kubelet(self) -> None:
        home = self.home
        self.run(
            "kubelet",
            f"--config={home}/kubelet.yaml",
            f"--kubeconfig={home}/{files.NODE}.conf",
            f"--root-dir={home}/kubelet",
            f"--cert-dir={home}/kubelet-certificates",
            f"--hostname-override={files.NODE}",
            f"--node-ip={ADDRESS}",
        )

    def restart_agents(self) -> None:
        """End what runs pods, as by `kill -9`, and start it again."""
        for program in ("kubelet", "kube-proxy", "containerd"):
            self.end(program)
        self.run("containerd", f"--config={self.home}/containerd.toml")
        self._agents()
        eventually(self._kubelet_answers)

    def _kubelet_answers(self) -> bool:
        (kubelet,) = [process for program, process in self.processes if program == "kubelet"]
        if kubelet.poll() is not None:
            # Started again, as a machine does: it ends where containerd does not answer yet.
            self.processes = [one for one in self.processes if one[1] is not kubelet]
            self._kubelet()
            return False
        try:
            connect(self.pid, "127.0.0.1", 10248, 5).close()
        except OSError:
            return False
        return True

    def _volumes(self) -> None:
        # It reads its settings from an object.
        self.run(
            "local-path-provisioner",
            "start",
            f"--kubeconfig={self.home}/admin.conf",
            "--service-account-name=default",
            "--namespace=kube-system",
            "--configmap-name=local-path",
            "--helper-image=localhost/shell:1",
            "--provisioner-name=rancher.io/local-path",
            POD_NAMESPACE="kube-system",
        )

    def _own_images(self) -> list[Image]:
        shell = {f"bin/{name}": "busybox" for name in APPLETS}
        tools = layer(self.home / "shell.tar", {"bin/busybox": self.debian / "bin/busybox"}, shell)
        names = layer(self.home / "names.tar", {"coredns": self.programs["coredns"]})
        return [
            Image(
                "localhost/shell:1", [tools], {"Cmd": ["/bin/sleep", "2147483647"], "User": USER, "Env": ["PATH=/bin"]}
            ),
            Image("localhost/coredns:1", [names], {"Entrypoint": ["/coredns"], "User": USER}),
        ]

    def image(self, name: str, digest: str, make: Callable[[Path], Image]) -> str:
        """Have an image, which is kept from one node to the next; return its own digest, by which pods may name it.

        Args:
            name: With its tag.
            digest: Of what it is made from: it is made anew when this changes.
            make: Makes it in a new folder.
        """
        marker = self.cache / "containerd" / f"imported-{name.replace('/', '-')}"
        if not marker.exists() or marker.read_text() != digest:
            work = self.home / "image"
            work.mkdir()
            self._import([make(work)])
            shutil.rmtree(work)
            marker.write_text(digest)
        listed = [line.split() for line in self.ctr("images", "list").splitlines()]
        (found,) = [words[2] for words in listed if words[0] == name]
        self._also(name, f"{name.rpartition(':')[0]}@{found}", {words[0] for words in listed})
        return found

    def next_release(self, name: str, digest: str) -> str:
        """Have an image of the same layers with another version, as the next release is; return its digest.

        Args:
            name: The image's, with its tag.
            digest: The image's own.
        """
        repository, _, tag = name.rpartition(":")
        manifest = json.loads(self.ctr("content", "get", digest))
        config = json.loads(self.ctr("content", "get", manifest["config"]["digest"]))
        labels = {"org.opencontainers.image.version": f"{tag}-next"}
        path = relabelled(self.home / "next.tar", f"{repository}:{tag}-next", manifest, config, labels)
        self.ctr("images", "import", str(path))
        listed = [line.split() for line in self.ctr("images", "list").splitlines()]
        (found,) = [words[2] for words in listed if words[0] == f"{repository}:{tag}-next"]
        self._also(f"{repository}:{tag}-next", f"{repository}@{found}", {words[0] for words in listed})
        return found

    def mirror(self, registry: str, digests: Mapping[str, str]) -> None:
        """Have images under the names of a mirror too, as if they had been pulled from there.

        Args:
            registry: The mirror's.
            digests: Each image's, by its name with its tag.
        """
        there = {line.split()[0] for line in self.ctr("images", "list").splitlines()[1:]}
        for one in sorted(there):
            if one.startswith(f"{LOOPBACK}:") and not one.startswith(f"{registry}/"):
                self.ctr("images", "remove", one)  # of a mirror that is gone
        for name, digest in digests.items():
            own = f"{name.rpartition(':')[0]}@{digest}"
            self._also(own, f"{registry}/{own}", there)

    def _also(self, name: str, other: str, there: Collection[str]) -> None:
        if other not in there:
            self.ctr("images", "tag", name, other)

    def _import(self, images: Iterable[Image]) -> None:
        self._wait("containerd", lambda: self.inside(self._ctr("version")).code == 0)
        path = archive(self.home / "images.tar", images)
        self.ctr("images", "import", str(path))
        path.unlink()

    def _ctr(self, *arguments: str) -> list[str]:
        return [str(self.debian / "usr/bin/ctr"), f"--address={files.SOCKET}", "--namespace=k8s.io", *arguments]

    def ctr(self, *arguments: str) -> str:
        """Ask containerd something that it must do; return what it says."""
        done = self.inside(self._ctr(*arguments))
        assert done.code == 0, done.err
        return done.out

    def _enter(self) -> list[str]:
        kinds = ("--net", "--mount", "--uts", "--ipc", "--cgroup", "--pid")
        return ["nsenter", f"--target={self.pid}", *kinds, "--"]

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables of programs in the node: Debian's programs come before this machine's."""
        root = self.debian
        (libraries,) = root.glob("usr/lib/*-linux-gnu")
        folders = [str(root / "usr/sbin"), str(root / "usr/bin"), "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        return {
            "PATH": os.pathsep.join(folders),
            "LD_LIBRARY_PATH": str(libraries),
            "XTABLES_LIBDIR": str(libraries / "xtables"),
            "HOME": str(self.home),
        }

    def inside(self, command: Iterable[str], *, seconds: float = PATIENCE) -> Answer:
        """Run a command in the node to its end."""
        done = subprocess.run(
            [*self._enter(), *command],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def run(self, program: str, *arguments: str, **environment: str) -> None:
        """Start one more program in the node, which ends with it."""
        path = self.programs.get(program) or self.debian / "usr/bin" / program
        self.spawn(program, [str(path), *arguments], **environment)

    def spawn(self, name: str, command: Iterable[str], **environment: str) -> None:
        """Start a command in the node, which ends with it and logs under a name."""
        self.processes.append((name, self._popen(name, [*self._enter(), *command], environment)))

    def end(self, program: str) -> None:
        """End a program as by `kill -9`."""
        for one in [one for one in self.processes if one[0] == program]:
            children = Path(f"/proc/{one[1].pid}/task/{one[1].pid}/children").read_text(encoding="utf-8")
            for child in children.split():
                os.kill(int(child), signal.SIGKILL)
            one[1].wait(PATIENCE)
            self.processes.remove(one)

    def _popen(
        self, name: str, command: list[str], environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        with (self.home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                env={**self.environment, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - it makes one system call
            )

    def _condition(self, kind: str, name: str, namespace: str, condition: str) -> bool:
        where = ["-n", namespace] if namespace else []
        answer = self.kubectl("get", kind, name, *where, "-o", "json")
        found: list[dict[str, Any]] = answer.json.get("status", {}).get("conditions", []) if answer.code == 0 else []
        return any(one["type"] == condition and one["status"] == "True" for one in found)

    def stop(self) -> None:
        """End everything, and leave nothing but the images."""
        if self.door:
            self.door.close()
        self._end_all()
        shutil.rmtree(self.home, ignore_errors=True)
        self._held.close()

    def _end_all(self) -> None:
        if self._unshared:
            self._unshared.kill()  # and with it process 1, and with that every process of the node
            self._unshared.wait(PATIENCE)
        for _, process in self.processes:
            process.wait(PATIENCE)
        self.processes.clear()
        sweep(self.group)

    def kill(self, pod: Mapping[str, Any]) -> None:
        """End the processes of a pod's containers, as the kernel does that has no memory left."""
        running = {line.split()[0]: line.split()[1] for line in self.ctr("tasks", "list").splitlines()[1:]}
        for one in pod["status"]["containerStatuses"]:
            number = running[one["containerID"].rpartition("/")[2]]
            assert self.inside(["kill", "-9", number]).code == 0, pod["metadata"]["name"]


def unbuilt() -> str:
    """Return which of a node's programs the tools cache lacks, and what brings them; empty: none."""
    unpacked = {"Debian's programs": CACHE / "debian/usr/sbin/iptables", "the images' base": CACHE / "python.tar"}
    wanted = {**places("control-plane"), **places("node"), **unpacked}
    missing = [name for name, path in wanted.items() if not path.exists()]
    return f"the tools cache lacks {', '.join(missing)}: `make test-node` builds them once" if missing else ""


def leftovers(group: str) -> list[Path]:
    """Return the control groups of a node, innermost first: all that one can leave behind when it is killed."""
    found = []
    for root in [one / group for one in controllers() if (one / group).exists()]:
        found += [*sorted((one for one in root.rglob("*") if one.is_dir()), reverse=True), root]
    return found


def sweep(group: str) -> None:
    """Remove what a node left behind: processes, where any outlived it, then its control groups."""

    def gone() -> bool:
        for folder in leftovers(group):
            try:
                for pid in (folder / "cgroup.procs").read_text(encoding="utf-8").split():
                    os.kill(int(pid), signal.SIGKILL)
                folder.rmdir()
            except OSError:
                continue  # it goes with its last process
        return not leftovers(group)

    eventually(gone)
