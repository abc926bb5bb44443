"""A workstation beside a node: a workspace, `mlstrata`, `kubectl`, the Pulumi CLI; of the cluster only its API."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.support.cluster import ADMIN, Json
from tests.support.command import ROOT, Done
from tests.support.node.node import Node
from tests.support.node.own import Own
from tests.support.pulumi_cli import Cli, folder_for_path


class Workstation:
    """One for everybody: who asks is said with each command.

    Args:
        node: The node.
        folder: A new folder.
        environments: Text of each environment's file by its name.
        variables: Of its shell.
    """

    def __init__(self, node: Node | Own, folder: Path, environments: Mapping[str, str], **variables: str) -> None:
        self.node, self.folder = node, folder / "workspace"
        for name in ("environments", "policies"):
            (self.folder / name).mkdir(parents=True)
        for name, text in environments.items():
            (self.folder / f"environments/{name}.yaml").write_text(text, encoding="utf-8")
        (self.folder / "Pulumi.yaml").write_text(f"name: mlstrata\nruntime: python\nmain: {ROOT}/stacks/\n")
        programs = folder / "bin"
        if isinstance(node, Own):
            programs.mkdir()  # the CLI is a user's own, as kubectl is
        else:
            folder_for_path(programs)
        (programs / "kubectl").symlink_to(node.programs["kubectl"])
        self.cli = Cli(programs, self.folder, variables={"MLSTRATA_WORKSPACE": str(self.folder), **variables})
        self.kubeconfigs = {user: folder / f"{user}.kubeconfig" for user in (ADMIN, *node.people)}
        for user, path in self.kubeconfigs.items():
            node.login(path, user)

    def run(self, *arguments: str, user: str = ADMIN) -> Done:
        """Run `mlstrata` to its end, however it ends."""
        # Where nothing names a backend it is the workspace.
        variables = {name: value for name, value in self.cli.environment.items() if name != "PULUMI_BACKEND_URL"}
        done = subprocess.run(
            [str(Path(sys.executable).with_name("mlstrata")), *arguments],
            env={**variables, "KUBECONFIG": str(self.kubeconfigs[user])},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def do(self, *arguments: str, user: str = ADMIN) -> Done:
        """Run a command of `mlstrata` that must succeed."""
        done = self.run(*arguments, user=user)
        assert done.code == 0, f"mlstrata {' '.join(arguments)}\n{done.text}\n{self.node.troubles()}"
        return done

    def objects(self, *arguments: str) -> list[Json]:
        """Return the objects that a command of `mlstrata` prints, for kubectl to apply."""
        return [one for one in yaml.safe_load_all(self.do(*arguments).out) if one]

    def bring(self, secrets: Mapping[tuple[str, str], Mapping[str, str]]) -> None:
        """Make secrets by namespace and name, and the namespaces first, as a person does before the first `up`."""
        for space in sorted({space for space, _ in secrets}):
            assert self.node.kubectl("create", "namespace", space).code == 0
        for (space, name), values in secrets.items():
            given = (f"--from-literal={key}={value}" for key, value in values.items())
            made = self.node.kubectl("create", "secret", "generic", name, "-n", space, *given)
            assert made.code == 0, made.err
