"""A shipped environment on a cluster of the test's, deployed by the real Pulumi CLI from a mirror of the test's."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support import mirror
from tests.support.cluster import ADMIN, Cluster, Json
from tests.support.command import Done, copy_exemptions
from tests.support.definitions import OURS, USED, definitions
from tests.support.mirror import Site
from tests.support.patience import eventually
from tests.support.pulumi_cli import Cli
from tests.support.rendered import ROOT, Key, at_stage, key
from tests.support.states import deployment

_SUMMARY = re.compile(r"(?m)^Resources:\n((?:    .*\n)+)")
_COUNT = re.compile(r"(?m)^    (?:[-+~] |\+-)?(\d+) (created|updated|deleted|replaced|unchanged)")
CLASSES, VOLUMES = ("standard", "replicated", "gp3"), 12
"""Those that dev (by default), staging and prod take, and how many volumes of each are there."""

SKIP_CHECKPOINTS = "PULUMI_SKIP_CHECKPOINTS"


@dataclass
class World:
    """A cluster with room and volumes, and a mirror.

    Attributes:
        cluster: The control plane.
        site: The mirror.
    """

    cluster: Cluster
    site: Site

    def variables(self) -> dict[str, str]:
        """Return what the CLI and its provider find cluster and mirror by."""
        return {
            "KUBECONFIG": str(self.cluster.kubeconfig),
            "SSL_CERT_FILE": str(self.site.authority),
            # The server is this machine: nobody else's share of it is to be spared.
            "PULUMI_K8S_CLIENT_QPS": "500",
            "PULUMI_K8S_CLIENT_BURST": "1000",
        }


BROUGHT = ("nodepools.karpenter.sh", "nodeclaims.karpenter.sh")
"""Definitions that the organisation's cluster has before: GPU pools are pools of its Karpenter."""


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Start a control plane with a node, volumes and Karpenter's kinds, and a mirror of everything else."""
    cluster = Cluster(folder / "cluster")
    there = known(cluster)
    try:
        cluster.start()
        cluster.pretend_nodes()
        cluster.must([storage_class(name, default=name == CLASSES[0]) for name in CLASSES])
        cluster.must([volume(name, number) for name in CLASSES for number in range(VOLUMES)])
        made = cluster.kubectl("create", "-f", "-", stdin=json.dumps(node("node", cpu="900")))
        assert made.code == 0, made.err
        brought = "\n---\n".join(there[name] for name in BROUGHT)
        made = cluster.kubectl("create", "-f", "-", stdin=brought)
        assert made.code == 0, made.err
        with mirror.serving(folder, used(there)) as site:
            yield World(cluster, site)
    finally:
        cluster.stop()


def known(cluster: Cluster) -> dict[str, str]:
    """Return the text of every definition that a mirror can have, by its full name."""
    folders = [path for name, path in cluster.programs.items() if name.startswith("definitions/")]
    return dict(one for each in [*folders, OURS] for one in definitions(each))


def used(there: Mapping[str, str]) -> dict[str, str]:
    """Return those of the kinds that environments use, without their descriptions."""
    return {name: _undescribed(there[name]) for name in USED}


class _Loader(yaml.CSafeLoader):
    """Reads an equals sign as the text that definitions mean by it."""


_Loader.add_constructor("tag:yaml.org,2002:value", yaml.SafeLoader.construct_yaml_str)


def _undescribed(text: str) -> str:
    """Return a definition without its descriptions, which are most of what each write of the state would hold."""

    def without(value: Any, *, is_fields: bool = False) -> Any:
        if isinstance(value, list):
            return [without(one) for one in value]
        if not isinstance(value, dict):
            return value
        # Below `properties` it is the name of a field.
        kept = {key: one for key, one in value.items() if is_fields or key != "description"}
        return {key: without(one, is_fields=key == "properties" and not is_fields) for key, one in kept.items()}

    return json.dumps(without(yaml.load(text, _Loader)))  # noqa: S506 - it is the safe loader, in C


def node(name: str, *, cpu: str) -> Json:
    """Return a node with room, for everything but the processors that the test gives it."""
    there = {"cpu": cpu, "memory": "4Ti", "pods": "900", "ephemeral-storage": "4Ti", "nvidia.com/gpu": "64"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"capacity": there, "allocatable": there},
    }


def storage_class(name: str, *, default: bool = False, mode: str = "WaitForFirstConsumer") -> Json:
    """Return a class that makes no volumes itself, and binds them with their first pod."""
    metadata: Json = {"name": name}
    if default:
        metadata["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": metadata,
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": mode,
    }


def volume(storage_class_name: str, number: int) -> Json:
    """Return a volume that is there already."""
    spec = {
        "capacity": {"storage": "2Ti"},
        "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
        "storageClassName": storage_class_name,
        "hostPath": {"path": f"/volumes/{number}"},
    }
    name = f"{storage_class_name}-{number}"
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


@dataclass
class Deployed:
    """A shipped environment in a workspace of its own.

    Attributes:
        world: Where it is deployed.
        name: Its name.
        folder: The workspace.
        cli: The Pulumi CLI there.
    """

    world: World
    name: str
    folder: Path
    cli: Cli

    @classmethod
    def of(cls, world: World, name: str, folder: Path, pulumi_bin: Path) -> Deployed:
        """Make the workspace; nothing is deployed."""
        shutil.copytree(ROOT / "environments/substrates", folder / "environments/substrates")
        copy_exemptions(folder)
        (folder / "Pulumi.yaml").write_text(f"name: mlstrata\nruntime: python\nmain: {ROOT}/stacks/\n")
        # A state that is written once, at the end, spares half of the time: who kills an update asks for each step.
        variables = {**world.variables(), "MLSTRATA_WORKSPACE": str(folder), SKIP_CHECKPOINTS: "true"}
        cli = Cli(pulumi_bin, folder, variables=variables)
        cli.do("stack", "init", name)
        return cls(world, name, folder, cli)

    def at(self, stage: str, change: tuple[str, str] | None = None) -> None:
        """Write its file at a stage, on the test's cluster, from the test's mirror."""
        text = re.sub(r"context: [\w-]+", "context: test", at_stage(self.name, stage)) + self.world.site.spec
        if change is not None:
            assert change[0] in text
            text = text.replace(*change)
        (self.folder / f"environments/{self.name}.yaml").write_text(text, encoding="utf-8")

    @property
    def checkpoint(self) -> Path:
        """Return the file of the state."""
        return self.folder / f".pulumi/stacks/mlstrata/{self.name}.json"

    def recorded(self) -> int:
        """Return how many resources the state has now, while an update writes it."""
        return self.checkpoint.read_text(encoding="utf-8").count('"urn":') if self.checkpoint.exists() else 0

    def retained(self) -> set[Key]:
        """Return the objects of the state that outlive it: of what upstream's bundles put into a namespace of ours, the
        definitions alone, as that namespace goes.
        """
        objects = [one for one in deployment(self.checkpoint)["resources"] if "metadata" in one.get("outputs", {})]
        kept, going = (
            {key(one["outputs"]) for one in objects if bool(one.get("retainOnDelete")) is retained}
            for retained in (True, False)
        )
        spaces = {name for _, kind, _, name in going if kind == "Namespace"}
        return {one for one in kept if one[2] not in spaces and (one[1] != "Namespace" or one[3] not in spaces)}

    def do(self, *command: str) -> dict[str, int]:
        """Run a command of the CLI on its stack; return what it counts."""
        return counted(self.cli.do(*command, "-s", self.name))

    def start_mlstrata(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Start our own command in the workspace; what it says goes to the files `out` and `err` there."""
        program = Path(sys.executable).with_name("mlstrata")
        # Where nothing names a backend it is the workspace, which is the CLI's own here.
        variables = {**self.cli.environment, **more}
        del variables["PULUMI_BACKEND_URL"]
        with (self.folder / "out").open("w") as out, (self.folder / "err").open("w") as err:
            return subprocess.Popen(
                [program, *arguments],
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def said(self) -> tuple[str, str]:
        """Return what our own command has said so far: its answer, and what it told people."""
        return (self.folder / "out").read_text(encoding="utf-8"), (self.folder / "err").read_text(encoding="utf-8")

    def mlstrata(self, *arguments: str) -> Done:
        """Run our own command in the workspace."""
        code = self.start_mlstrata(*arguments).wait()
        return Done(code, *self.said())

    def stand_on_aws(self) -> None:
        """Give it a substrate that is the test's cluster, with an `aws` that lets its administrator in."""
        cluster = self.world.cluster
        status = {"token": cluster.tokens[ADMIN]}
        answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
        program = self.folder / "bin/aws"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n", encoding="utf-8")
        program.chmod(0o700)
        self.cli.variables["PATH"] = os.pathsep.join([str(program.parent), self.cli.environment["PATH"]])
        outputs = yaml.safe_load((ROOT / f"environments/substrates/{self.name}.yaml").read_text(encoding="utf-8"))
        certificate = (cluster.home / "certificates/apiserver.crt").read_bytes()
        authority = base64.b64encode(certificate).decode()
        outputs["cluster"] |= {"endpoint": f"https://127.0.0.1:{cluster.port}", "authority": authority}
        self.give_substrate(outputs)

    def give_substrate(self, outputs: Json) -> None:
        """Put a stack of its cloud's substrate into the backend, with these outputs."""
        stack = f"{self.name}.substrate"
        self.cli.do("stack", "init", stack)
        root = f"urn:pulumi:{stack}::mlstrata::pulumi:pulumi:Stack::mlstrata-{stack}"
        document = self.cli.do("stack", "export", "-s", stack).json
        resource = {"urn": root, "custom": False, "type": "pulumi:pulumi:Stack", "outputs": outputs}
        document["deployment"]["resources"] = [resource]
        file = self.folder / "substrate.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        self.cli.do("stack", "import", "-s", stack, "--file", str(file))


def counted(done: Done) -> dict[str, int]:
    """Return the numbers of the CLI's summary by what became of the resources."""
    found = _SUMMARY.search(done.out)
    assert found, done.text
    return {what: int(number) for number, what in _COUNT.findall(found[1])}


def kill(process: subprocess.Popen[str]) -> None:
    """End a command and all that it started, as a machine that goes down does."""
    # Plugins are in process groups of their own.
    begun = [process.pid, *_descendants(process.pid)]
    for pid in begun:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()
    eventually(lambda: all(map(_has_ended, begun)))


def _has_ended(pid: int) -> bool:
    """Return whether a process runs no more, whoever is still to ask for its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return True


def _descendants(pid: int) -> list[int]:
    found = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, text=True, check=False)
    children = [int(line) for line in found.stdout.split()]
    return [*children, *(inner for child in children for inner in _descendants(child))]
