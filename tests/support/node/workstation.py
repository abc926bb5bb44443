"""A workstation beside a node: a workspace, `mlstrata`, `kubectl`, the Pulumi CLI; of the cluster only its API."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.cluster import ADMIN
from tests.support.command import ROOT, Done
from tests.support.node.node import Node
from tests.support.pulumi_cli import Cli, folder_for_path


class Workstation:
    """One for everybody: who asks is said with each command.

    Args:
        node: The node.
        folder: A new folder.
        environments: Text of each environment's file by its name.
    """

    def __init__(self, node: Node, folder: Path, environments: Mapping[str, str]) -> None:
        self.node, self.folder = node, folder / "workspace"
        for name in ("environments", "policies"):
            (self.folder / name).mkdir(parents=True)
        for name, text in environments.items():
            (self.folder / f"environments/{name}.yaml").write_text(text, encoding="utf-8")
        (self.folder / "Pulumi.yaml").write_text(f"name: mlstrata\nruntime: python\nmain: {ROOT}/stacks/\n")
        programs = folder_for_path(folder / "bin")
        (programs / "kubectl").symlink_to(node.programs["kubectl"])
        self.cli = Cli(programs, self.folder, variables={"MLSTRATA_WORKSPACE": str(self.folder)})
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
