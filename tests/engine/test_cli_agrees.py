"""The real Pulumi CLI and the embedded engine take over from each other without a change.

Needs `pulumi` on PATH; without it these tests skip and say so.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pulumi_embedded

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests/golden/program"
PULUMI = shutil.which("pulumi")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(600),
    pytest.mark.skipif(PULUMI is None, reason="the Pulumi CLI is not on PATH"),
]


def pulumi(folder: Path, variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the CLI in `folder` with this environment's interpreter first on PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(PULUMI), *arguments, "--non-interactive"],
        cwd=folder,
        env={**os.environ, "PATH": path, "PULUMI_SKIP_UPDATE_CHECK": "true", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"pulumi {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, str], pulumi_embedded.Program]:
    folder = tmp_path / "golden"
    shutil.copytree(PROGRAM, folder)
    backend = f"file://{folder}"
    (folder / "Pulumi.yaml").write_text(f"name: golden\nruntime: python\nbackend:\n  url: {backend}\n")
    monkeypatch.setenv("SCENARIO", "create")
    variables = {"PULUMI_CONFIG_PASSPHRASE": "golden", "SCENARIO": "create", "PULUMI_BACKEND_URL": backend}
    return folder, variables, pulumi_embedded.Program(project="golden", stack="local", main=folder)


OPTIONS = pulumi_embedded.Options(passphrase=pulumi_embedded.Passphrase("golden"))


def test_the_cli_finds_no_change_in_what_the_engine_made(golden):
    folder, variables, program = golden
    pulumi_embedded.up(program, pulumi_embedded.Backend(folder), OPTIONS)
    pulumi(folder, variables, "preview", "-s", "local", "--expect-no-changes")


def test_the_engine_finds_no_change_in_what_the_cli_made(golden):
    folder, variables, program = golden
    pulumi(folder, variables, "stack", "init", "local")
    pulumi(folder, variables, "up", "-s", "local", "--yes", "--skip-preview")
    assert pulumi_embedded.preview(program, pulumi_embedded.Backend(folder), OPTIONS).changes == 0


def test_the_cli_destroys_what_the_engine_made(golden):
    folder, variables, program = golden
    backend = pulumi_embedded.Backend(folder)
    pulumi_embedded.up(program, backend, OPTIONS)
    pulumi(folder, variables, "destroy", "-s", "local", "--yes", "--skip-preview")
    assert pulumi_embedded.resources("golden", "local", backend, OPTIONS.passphrase).resources == []


def test_the_cli_finds_no_change_in_a_platform_that_mlstrata_brought_up(tmp_path):
    folder = tmp_path / "workspace"
    (folder / "environments").mkdir(parents=True)
    text = (ROOT / "environments/local.yaml").read_text(encoding="utf-8")
    ports = "{gateway: 0, mlflow: 0, prometheus: 0, alertmanager: 0, runner: 0}"
    text = text.replace("target: {kind: local}", f"target: {{kind: local, ports: {ports}}}")
    (folder / "environments/local.yaml").write_text(text, encoding="utf-8")
    # The CLI looks for the program below Pulumi.yaml; the code stays the checkout's, which is installed editable.
    (folder / "Pulumi.yaml").write_text(
        f"name: mlstrata\nruntime: python\nmain: {ROOT}/stacks/\nbackend:\n  url: file://{folder}\n", encoding="utf-8"
    )
    mlstrata = Path(sys.executable).with_name("mlstrata")
    own = {"MLSTRATA_WORKSPACE": str(folder)}
    variables = {
        **own,
        "PULUMI_BACKEND_URL": f"file://{folder}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(folder / ".mlstrata/local/passphrase"),
    }
    subprocess.run([mlstrata, "up", "local", "--yes"], env={**os.environ, **own}, check=True)
    try:
        pulumi(folder, variables, "preview", "-s", "local", "--refresh", "--expect-no-changes")
        pulumi(folder, variables, "up", "-s", "local", "--yes", "--skip-preview", "--expect-no-changes")
    finally:
        subprocess.run([mlstrata, "down", "local", "--yes"], env={**os.environ, **own}, check=True)
