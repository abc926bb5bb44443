"""The real Pulumi CLI, built by `tools/install-go-tools pulumi`, with what it needs beside it on PATH."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.command import Done, inherited
from tests.support.go_tools import programs

# Pulumi looks for these on PATH: ours run in the interpreter that runs the tests.
SCRIPTS = {
    "pulumi-language-python": f'exec {sys.executable} -u {Path(__file__).with_name("language_host.py")} "$@"',
    "pulumi-resource-pulumi-python": f'exec {sys.executable} -u -m pulumi.dynamic "$@"',
}


def folder_for_path(folder: Path) -> Path:
    """Lay the CLI, its provider and its hosts for Python into `folder`, to be put on PATH; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in programs("pulumi").items():
        (folder / name).symlink_to(path)
    for name, text in SCRIPTS.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


@dataclass
class Cli:
    """The CLI in one folder with one backend.

    Attributes:
        bin: The folder that goes before PATH.
        folder: Where it runs: the one with Pulumi.yaml.
        passphrase: Of the stack's secrets; nothing when a file has it.
        variables: Further environment variables.
    """

    bin: Path
    folder: Path
    passphrase: str = "for the tests"
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that the CLI runs with: nothing of the developer's, nothing asked of the Internet."""
        kept = inherited()
        return {
            **kept,
            "PATH": os.pathsep.join([str(self.bin), str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
            "PULUMI_HOME": str(self.bin.parent / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder}",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            **({"PULUMI_CONFIG_PASSPHRASE": self.passphrase} if self.passphrase else {}),
            **self.variables,
        }

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            [str(self.bin / "pulumi"), *arguments, "--non-interactive", "--color=never"],
            cwd=self.folder,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **variables: str) -> Done:
        """Run a command to its end, however it ends."""
        process = self.start(*arguments, **variables)
        out, err = process.communicate()
        return Done(process.returncode, out, err)

    def do(self, *arguments: str, **variables: str) -> Done:
        """Run a command that must succeed."""
        done = self.run(*arguments, **variables)
        assert done.code == 0, f"pulumi {' '.join(arguments)}\n{done.text}"
        return done

    def state(self, stack: str, *, secrets: bool = False) -> Mapping[str, Any]:
        """Return the deployment that the CLI exports, decrypted where asked."""
        shown = ["--show-secrets"] if secrets else []
        deployment: Mapping[str, Any] = self.do("stack", "export", "-s", stack, *shown).json["deployment"]
        return deployment
