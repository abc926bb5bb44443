"""The real Pulumi CLI and the embedded engine take over from each other without a change."""

import shutil
from pathlib import Path

import pytest

import pulumi_embedded
from tests.support.pulumi_cli import Cli

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests/golden/program"


@pytest.fixture
def golden(
    tmp_path: Path, pulumi_bin: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, Cli, pulumi_embedded.Program]:
    folder = tmp_path / "golden"
    shutil.copytree(PROGRAM, folder)
    (folder / "Pulumi.yaml").write_text("name: golden\nruntime: python\n")
    monkeypatch.setenv("SCENARIO", "create")
    cli = Cli(pulumi_bin, folder, passphrase="golden")
    return folder, cli, pulumi_embedded.Program(project="golden", stack="local", main=folder)


OPTIONS = pulumi_embedded.Options(passphrase=pulumi_embedded.Passphrase("golden"))


def test_the_cli_finds_no_change_in_what_the_engine_made(golden):
    folder, cli, program = golden
    pulumi_embedded.up(program, pulumi_embedded.Backend(folder), OPTIONS)
    cli.do("preview", "-s", "local", "--expect-no-changes")


def test_the_engine_finds_no_change_in_what_the_cli_made(golden):
    folder, cli, program = golden
    cli.do("stack", "init", "local")
    cli.do("up", "-s", "local", "--yes", "--skip-preview")
    assert pulumi_embedded.preview(program, pulumi_embedded.Backend(folder), OPTIONS).changes == 0


def test_the_cli_destroys_what_the_engine_made(golden):
    folder, cli, program = golden
    backend = pulumi_embedded.Backend(folder)
    pulumi_embedded.up(program, backend, OPTIONS)
    cli.do("destroy", "-s", "local", "--yes", "--skip-preview")
    assert pulumi_embedded.resources("golden", "local", backend, OPTIONS.passphrase).resources == []
