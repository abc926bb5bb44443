"""One local environment under the Pulumi CLI and the command in turn: each takes over from the other as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import ROOT, Platform
from tests.support.pulumi_cli import Cli
from tests.support.states import compared

STACK = ["-s", "local"]
NOW = [*STACK, "--yes", "--skip-preview"]


class Both:
    """An environment on free ports, driven by the command and by the CLI."""

    def __init__(self, root: Path, pulumi_bin: Path) -> None:
        self.platform = Platform(root)
        self.platform.declare(systems=2)
        # The CLI looks for the program below Pulumi.yaml; the code stays the checkout's, which is installed editable.
        (root / "Pulumi.yaml").write_text(f"name: mlstrata\nruntime: python\nmain: {ROOT}/stacks/\n", encoding="utf-8")
        self.passphrase = self.platform.home / "passphrase"
        variables = {
            "MLSTRATA_WORKSPACE": str(root),
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.passphrase),
        }
        self.cli = Cli(pulumi_bin, root, passphrase="", variables=variables)

    def state(self) -> dict[str, Any]:
        """Return each resource with every field, secrets open."""
        return compared(self.platform.checkpoint, self.passphrase.read_text(encoding="utf-8").strip())

    def steps(self) -> dict[str, str]:
        """Return what the command plans, without what stays."""
        found = self.platform.run("plan", "local", "--json").json["steps"]
        return {step["urn"]: step["op"] for step in found if step["op"] != "same"}

    def steps_of_cli(self, *options: str) -> dict[str, str]:
        """Return what the CLI plans, without what stays."""
        found = self.cli.do("preview", *STACK, "--json", *options).json["steps"]
        return {step["urn"]: step["op"] for step in found if step["op"] not in ("same", "refresh")}


@pytest.fixture
def both(tmp_path: Path, pulumi_bin: Path) -> Iterator[Both]:
    made = Both(tmp_path / "workspace", pulumi_bin)
    yield made
    if made.platform.checkpoint.exists():
        made.platform.end()


def shape(state: dict[str, Any]) -> dict[str, Any]:
    """Return what two makings of an environment have in common: ports, starts, secrets and their digests are new."""
    bags = ("inputs", "outputs")
    return {
        urn: {key: sorted(value) if key in bags else value for key, value in row.items() if key != "id"}
        for urn, row in state.items()
        if urn != "(pending)"
    }


def test_each_takes_over_from_the_other(both: Both) -> None:
    platform, cli = both.platform, both.cli

    # What the command made, the CLI finds unchanged: planned, read back, and carried out.
    platform.up()
    made, ports = both.state(), platform.ports()
    assert len(made) > 50
    cli.do("preview", *STACK, "--expect-no-changes")
    cli.do("preview", *STACK, "--refresh", "--expect-no-changes")
    cli.do("refresh", *NOW, "--expect-no-changes")
    cli.do("up", *NOW, "--expect-no-changes")
    assert both.state() == made

    # A stopped service is drift for both, they plan the same repair, and the CLI carries it out.
    platform.client._call("stopProcess", "mlflow:mlflow", True)
    refreshed = both.steps_of_cli("--refresh")
    assert refreshed == both.steps()
    assert {urn.rsplit("::", 1)[-1]: op for urn, op in refreshed.items()}["mlflow"] == "update"
    cli.do("refresh", *NOW)
    (service,) = (one for urn, one in both.state().items() if urn.endswith("Service::mlflow"))
    assert service["outputs"]["state"] == "stopped"
    assert both.steps_of_cli() == refreshed
    cli.do("up", *NOW)
    platform.assert_healthy()
    assert platform.run("plan", "local").code == 0

    # The CLI leaves nothing of it.
    cli.do("destroy", *NOW)
    platform.assert_nothing_runs(ports)
    assert platform.recorded() == []

    # And the reverse: what the CLI made from nothing, the command finds unchanged.
    cli.do("up", *NOW)
    remade, others = both.state(), platform.ports()
    platform.assert_healthy()
    assert both.steps() == {}
    assert platform.run("plan", "local").code == 0
    done = platform.run("up", "local", "--yes", "--json")
    assert done.code == 0, done.text
    assert set(done.json["counts"]) == {"same"}
    assert both.state() == remade
    assert shape(remade) == shape(made)
    platform.end()
    platform.assert_nothing_runs(others)
    assert not platform.checkpoint.exists()
