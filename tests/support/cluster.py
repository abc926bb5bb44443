"""A real Kubernetes control plane on this machine: etcd, API server, controllers and scheduler, no containers.

Its programs come from `tools/install-go-tools`. There are no nodes, or KWOK's: they run nothing and say they do.
"""

import ctypes
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.go_tools import programs
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports

ROOT = Path(__file__).parents[2]
ADMIN = "admin"
Json = dict[str, Any]
_DIE_WITH_PARENT, _PR_SET_PDEATHSIG = signal.SIGKILL, 1


@dataclass(frozen=True)
class Answer:
    """What kubectl answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Cluster:
    """A control plane with its own folder, ports and administrator."""

    def __init__(self, home: Path) -> None:
        self.home, self.programs = home, programs("control-plane")
        self.tokens = {ADMIN: secrets.token_hex(16)}
        self.processes: list[tuple[str, subprocess.Popen[bytes]]] = []
        self.kubeconfig = home / "kubeconfig"

    def start(self) -> None:
        """Start everything and wait until it answers."""
        self.home.mkdir(parents=True, exist_ok=True)
        client, peer, self.port = free_ports(3)
        key = self.home / "accounts.key"
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        shape = (Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        key.write_bytes(private.private_bytes(*shape))
        key.chmod(0o600)
        tokens = self.home / "tokens.csv"
        tokens.write_text(f'{self.tokens[ADMIN]},{ADMIN},{ADMIN},"system:masters"\n', encoding="utf-8")
        tokens.chmod(0o600)
        etcd, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        self.run(
            "etcd",
            f"--data-dir={self.home}/etcd",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
        )
        self.run(
            "kube-apiserver",
            f"--etcd-servers={etcd}",
            f"--secure-port={self.port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--cert-dir={self.home}/certificates",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--service-account-issuer=https://127.0.0.1:{self.port}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--allow-privileged=true",
            "--endpoint-reconciler-type=none",
            # Of an etcd before 3.5 it cannot stream lists, and whoever asks for one must be told so at once: KWOK would
            # wait longer each time, up to half a minute, before it looks again.
            "--feature-gates=WatchList=false",
        )
        self._configure()
        self._wait("the API server", lambda: self._get("/readyz") == "ok")
        self.run(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            f"--service-account-private-key-file={key}",
            "--controllers=*,-node-ipam-controller,-service-lb-controller,-node-route-controller,-cloud-node-lifecycle-controller",
            "--leader-elect=false",
            "--secure-port=0",
            "--concurrent-resource-quota-syncs=2",
        )
        self.run("kube-scheduler", f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--secure-port=0")
        self._wait("the default account", lambda: self.kubectl("get", "sa", "default", "-n", "default").code == 0)

    def pretend_nodes(self) -> None:
        """Start KWOK, which says for every node and pod that it runs; it starts once."""
        if any(program == "kwok" for program, _ in self.processes):
            return
        stages = Path(__file__).with_name("kwok_stages.yaml")
        self.run("kwok", f"--kubeconfig={self.kubeconfig}", "--manage-all-nodes=true", f"--config={stages}")

    def run(self, program: str, *arguments: str, **environment: str) -> None:
        """Start one more program, which ends with the cluster."""
        log = (self.home / f"{program}.log").open("wb")
        process = subprocess.Popen(
            [str(self.programs[program]), *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - it makes one system call
        )
        log.close()
        self.processes.append((program, process))

    def end(self, program: str) -> None:
        """End a program that a test started, so that the next tests have the machine."""
        for one in [one for one in self.processes if one[0] == program]:
            one[1].kill()
            one[1].wait(PATIENCE)
            self.processes.remove(one)

    def _configure(self) -> None:
        cluster = {"server": f"https://127.0.0.1:{self.port}", "insecure-skip-tls-verify": True}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": ADMIN, "user": {"token": self.tokens[ADMIN]}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": ADMIN}}],
        }
        self.kubeconfig.write_text(yaml.safe_dump(document), encoding="utf-8")
        self.kubeconfig.chmod(0o600)

    def _get(self, path: str) -> str:
        try:
            address = f"https://127.0.0.1:{self.port}{path}"
            headers = {"Authorization": f"Bearer {self.tokens[ADMIN]}"}
            return httpx.get(address, headers=headers, verify=False, timeout=60).text  # noqa: S501 - its own certificate
        except httpx.HTTPError:
            return ""

    def _wait(self, what: str, condition: Any, seconds: float = PATIENCE) -> None:
        end = time.monotonic() + seconds
        while not condition():
            for program, process in self.processes:
                assert process.poll() is None, f"{program} ended: {self.log(program)[-2000:]}"
            assert time.monotonic() < end, f"{what} did not come: {self.log('kube-apiserver')[-2000:]}"
            time.sleep(0.1)

    def log(self, program: str) -> str:
        """Return what a program wrote."""
        return (self.home / f"{program}.log").read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End what was started, the last first."""
        # They keep nothing that outlives the test, and a graceful end would wait for each other's.
        for _, process in reversed(self.processes):
            process.kill()
            process.wait(PATIENCE)

    def kubectl(self, *arguments: str, stdin: str = "", seconds: float = PATIENCE) -> Answer:
        """Run kubectl as the administrator."""
        done = subprocess.run(
            [str(self.programs["kubectl"]), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def apply(self, objects: Iterable[Mapping[str, Any]], *options: str) -> Answer:
        """Apply objects server-side with strict validation of every field, several at once."""
        text = yaml.safe_dump_all([dict(one) for one in objects], sort_keys=False)
        strict = ("--server-side", "--validate=strict", "--field-manager=mlstrata", "--force-conflicts")
        return self.kubectl("apply", *strict, *options, "-f", "-", stdin=text)

    def must(self, objects: Sequence[Mapping[str, Any]], *options: str) -> Answer:
        """Apply objects; each must be taken, and none may carry a warning of Pod Security."""
        answer = self.apply(objects, *options)
        assert answer.code == 0, answer.err
        assert "would violate PodSecurity" not in answer.err, answer.err
        return answer

    def listed(self, path: str) -> list[Json]:
        """Return the objects below a path of the API; none where it does not answer, or knows no such kind."""
        try:
            items: list[Json] = json.loads(self._get(path)).get("items", [])
        except ValueError:
            return []
        return items

    def pods(self, *spaces: str) -> list[Json]:
        """Return the pods of namespaces that are to stay, without those of jobs."""
        found = [one for space in spaces for one in self.listed(f"/api/v1/namespaces/{space}/pods")]
        return [
            one for one in found if "Job" not in {each["kind"] for each in one["metadata"].get("ownerReferences", [])}
        ]

    def can(self, account: str, verb: str, resource: str, namespace: str, *options: str) -> bool:
        """Ask whether an account `namespace:name`, or a user, may do something."""
        user = f"--as=system:serviceaccount:{account}" if ":" in account else f"--as={account}"
        answer = self.kubectl("auth", "can-i", verb, resource, "-n", namespace, user, *options)
        assert answer.out.strip() in {"yes", "no"}, answer.err
        return answer.out.strip() == "yes"

    def get(self, kind: str, name: str, namespace: str = "default") -> Json:
        """Return an object; it must be there."""
        answer = self.kubectl("get", kind, name, "-n", namespace, "-o", "json")
        assert answer.code == 0, answer.err
        found: Json = answer.json
        return found

    def troubles(self) -> str:
        """Tell of the pods that are not well: what a person would look at first."""
        answer = self.kubectl("get", "pods", "-A", "-o", "json")
        told = [
            self.kubectl("get", "pods", "-A").out,
            self.kubectl("get", "events", "-A", "--sort-by=.lastTimestamp").out[-4000:],
        ]
        for one in answer.json["items"] if answer.code == 0 else []:
            where = ("-n", one["metadata"]["namespace"], one["metadata"]["name"])
            states = [*one["status"].get("initContainerStatuses", []), *one["status"].get("containerStatuses", [])]
            waits = any(not state["ready"] and "terminated" not in state["state"] for state in states)
            if waits or one["status"]["phase"] == "Failed" or any(state["restartCount"] for state in states):
                told += [f"== {where[1:]}", self.kubectl("logs", *where, "--all-containers", "--tail=30").out]
        return "\n".join(told)

    def eventually(self, what: str, condition: Any, seconds: float = PATIENCE) -> float:
        """Wait until a condition holds; return the seconds it took."""
        begun = time.monotonic()
        self._wait(what, condition, seconds)
        return time.monotonic() - begun


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Say whether a pod is in service."""
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", []))


def die_with_parent() -> None:
    """Have a process end with the one that started it: a killed test run takes its control plane with it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _DIE_WITH_PARENT)
