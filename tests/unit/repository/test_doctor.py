"""The doctor finds what is not there, says how to get it, and fails for the target that was asked for alone."""

import json
import re
import socket
import stat
from pathlib import Path

import pytest
import typer

from mlstrata.cli.repository import doctor
from mlstrata.operations.errors import UsageError
from mlstrata.operations.repository.doctor import TARGETS, Finding, examine
from mlstrata.operations.repository.scaffold import create


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose PATH holds nothing but what a test puts there."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "environments").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("MLSTRATA_TOOLS", str(tmp_path / "tools"))
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    return tmp_path


def install(machine: Path, name: str, script: str) -> None:
    path = machine / "bin" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def of(found: tuple[Finding, ...], what: str) -> Finding:
    return next(one for one in found if one.what == what)


def test_each_program_that_is_missing_is_named_with_the_way_to_it(machine: Path) -> None:
    found = examine("local")
    assert {one.what for one in found if not one.fine} == {"git", "prometheus", "alertmanager"}
    assert "apt-get install prometheus" in of(found, "prometheus").fix
    assert not of(found, "git").needed
    assert of(found, "mlserver").fine


def test_what_is_there_is_shown_with_its_version(machine: Path) -> None:
    install(machine, "git", "echo git version 9.9")
    install(machine, "pulumi", "exit 1")
    assert of(examine("local"), "git").detail == "git version 9.9"
    assert not of(examine("kubernetes"), "pulumi").fine, "one that does not run is not there"


def test_a_cluster_that_does_not_answer_is_told_in_its_own_words(machine: Path) -> None:
    text = "name: dev\ntarget: {kind: kubernetes, context: far, region: eu, namespace: dev}\nstage: prerequisites\n"
    (machine / "environments/dev.yaml").write_text(text + "storage: {kind: s3, bucket: some-bucket}\n")
    install(
        machine, "kubectl", '[ "$1" = version ] && echo v1 && exit 0; echo noise >&2; echo no context far >&2; exit 1'
    )
    cluster = of(examine("dev"), "cluster (far)")
    assert (cluster.fine, cluster.detail) == (False, "no context far")
    install(machine, "kubectl", "echo ok")
    assert of(examine("dev"), "cluster (far)").fine


def test_a_port_that_another_program_holds_is_named_with_its_field(machine: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        ports = f"{{gateway: {port}, mlflow: 0, prometheus: 0, alertmanager: 0, runner: 0, catalog: 0}}"
        text = f"name: mine\ntarget: {{kind: local, ports: {ports}}}\nstage: prerequisites\n"
        (machine / "environments/mine.yaml").write_text(text)
        found = of(examine("mine"), f"port {port} (gateway)")
    assert "target.ports.gateway" in found.fix
    assert not [one for one in examine("mine") if one.what.startswith("port")]


def test_the_exit_code_is_that_of_the_asked_target(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    doctor("", as_json=True)
    everything = json.loads(capsys.readouterr().out)
    assert not everything["works"]
    assert {target for one in everything["findings"] for target in one["targets"]} == set(TARGETS)
    with pytest.raises(typer.Exit) as ended:
        doctor("local", as_json=False)
    assert ended.value.exit_code == 1
    for name in ("prometheus", "alertmanager"):
        install(machine, name, "")
    doctor("local", as_json=False)
    assert "git" in capsys.readouterr().out, "what it can do without is only told"


def test_an_unknown_target_is_refused_with_the_nearest(machine: Path) -> None:
    (machine / "environments/staging.yaml").touch()
    with pytest.raises(UsageError, match=r"'stagin'; allowed local, kubernetes, aws, staging; did you mean 'staging'"):
        examine("stagin")


def test_it_asks_for_the_cli_that_the_workflow_of_a_new_repository_takes(machine: Path) -> None:
    create(machine / "demo")
    workflow = (machine / "demo/.github/workflows/mlstrata.yml").read_text(encoding="utf-8")
    (taken,) = re.findall(r'pulumi-version: ">=([\d.]+)"', workflow)
    assert f"the Pulumi CLI {taken} or newer" in of(examine("kubernetes"), "pulumi").fix


@pytest.mark.parametrize(("said", "fine"), [("v2.9.9", False), ("v3.50.0", False), ("v3.999.0", True), ("dev", True)])
def test_an_older_cli_is_a_warning(machine: Path, said: str, fine: bool) -> None:
    install(machine, "pulumi", f"echo {said}")
    found = of(examine("kubernetes"), "pulumi")
    assert (found.fine, found.detail) == (fine, said)
    assert fine or not found.needed
    assert bool(found.fix) is not fine
