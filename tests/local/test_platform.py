"""The whole local environment, its real processes brought up by the engine: start, drift, repair, growth, end."""

import json
import os
import re
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import pulumi_embedded
from mlstrata.components.supervision.client import SupervisorClient
from mlstrata.components.supervision.sockets import is_free
from mlstrata.environments import Workspace
from mlstrata.services.exporter.processes import marked_processes
from tests.support.command import copy_exemptions, first_systems, stored
from tests.support.patience import PATIENCE, eventually

pytestmark = pytest.mark.local

ROOT = Path(__file__).parents[2]
FREE = "{kind: local, ports: {gateway: 0, mlflow: 0, prometheus: 0, alertmanager: 0, runner: 0}}"


class Environment:
    """A workspace of its own with the shipped local environment on free ports."""

    def __init__(self, root: Path):
        self.workspace = Workspace(root)
        self.home = self.workspace.home("local")
        self.client = SupervisorClient(self.workspace.socket("local"))
        self.backend = pulumi_embedded.Backend(root)
        self.program = pulumi_embedded.Program(
            "mlstrata", "local", ROOT / "stacks", settings=root / "Pulumi.local.yaml"
        )

    def declare(self, stage: str) -> None:
        text = stored(first_systems((ROOT / "environments/local.yaml").read_text(), 1))
        text = re.sub(r"(?m)^target:.*$", f"target: {FREE}", text)
        text = re.sub(r"(?m)^stage: \w+", f"stage: {stage}", text)
        if stage == "prerequisites":
            text = re.sub(r"(?m)^capabilities:.*$", "", text)
        self.workspace.environments.mkdir(exist_ok=True)
        self.workspace.environment_file("local").write_text(text)

    def options(self, **changes) -> pulumi_embedded.Options:
        return pulumi_embedded.Options(passphrase=pulumi_embedded.Passphrase("test"), **changes)

    def up(self) -> pulumi_embedded.Result:
        return pulumi_embedded.up(
            self.program, self.backend, self.options(refresh=self.backend.exists("mlstrata", "local"))
        )

    def plan(self) -> pulumi_embedded.Result:
        return pulumi_embedded.preview(self.program, self.backend, self.options(refresh=True))

    def down(self) -> None:
        pulumi_embedded.destroy(self.program, self.backend, self.options())

    def drifted(self) -> set[str]:
        return {step.name for step in self.plan().drift}

    def pids(self) -> dict[str, int]:
        return {process["name"]: process["pid"] for process in self.client._call("getAllProcessInfo")}


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Iterator[Environment]:
    root = tmp_path_factory.mktemp("workspace")
    before = os.environ.get("MLSTRATA_WORKSPACE")
    os.environ["MLSTRATA_WORKSPACE"] = str(root)
    made = Environment(root)
    made.declare("prerequisites")
    made.up()
    yield made
    made.down()
    assert not marked_processes(made.home)
    if before is None:
        del os.environ["MLSTRATA_WORKSPACE"]
    else:
        os.environ["MLSTRATA_WORKSPACE"] = before


def get(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return json.loads(answer.read())


def listening(home: Path) -> dict[str, set[str]]:
    """Hexadecimal addresses on which each service's processes listen."""
    owners = {
        str(descriptor.readlink()): process.service
        for process in marked_processes(home)
        for descriptor in Path(f"/proc/{process.pid}/fd").iterdir()
        if descriptor.is_symlink() and str(descriptor.readlink()).startswith("socket:")
    }
    found: dict[str, set[str]] = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            service = owners.get(f"socket:[{fields[9]}]")
            if service and fields[3] == "0A":
                found.setdefault(service, set()).add(fields[1].partition(":")[0])
    return found


def test_growing_a_stage_creates_only(environment):
    assert environment.plan().changes == 0
    before = environment.pids()
    environment.declare("foundation")
    planned = environment.plan()
    assert set(planned.counts) == {"same", "create"}
    assert "runner" in {step.name for step in planned.steps if step.op == "create"}
    environment.up()
    after = environment.pids()
    assert {name: after[name] for name in before} == before, "nothing that ran was restarted"


def test_up_again_changes_nothing(environment):
    assert environment.up().changes == 0


def test_a_second_up_plans_again_only_for_what_differs(environment, monkeypatch):
    from mlstrata.operations import deploy
    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.reporting import SILENT
    from pulumi_embedded import operations

    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "test")
    copy_exemptions(environment.workspace.root)
    plans, plan = [], operations._plan
    monkeypatch.setattr(operations, "_plan", lambda *given, **named: plans.append(1) or plan(*given, **named))
    whole = deploy.up(Deployment.open("local"), SILENT)
    assert len(plans) == 1
    again = deploy.up(Deployment.open("local"), SILENT)
    assert len(plans) == 1, "everything is as the first one left it"
    assert again.result.counts == whole.result.counts
    assert again.verdict == whole.verdict
    environment.client._call("stopProcessGroup", "gateway", True)
    repaired = deploy.up(Deployment.open("local"), SILENT)
    assert len(plans) == 2
    assert "gateway" in {step.name for step in repaired.result.drift}
    assert environment.pids()["gateway"]


def test_every_service_listens_on_loopback_only(environment):
    found = listening(environment.home)
    assert set(found) >= {"mlflow", "gateway", "prometheus", "alertmanager", "serving-mortgage-approval", "runner"}
    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert set().union(*found.values()) <= loopback, found


def test_prometheus_scrapes_every_service_and_has_every_rule(environment):
    urls = pulumi_embedded.outputs("mlstrata", "local", environment.backend, pulumi_embedded.Passphrase("test"))["urls"]

    def up() -> set[str]:
        targets = get(f"{urls['prometheus']}/api/v1/targets")["data"]["activeTargets"]
        return {target["labels"]["job"] for target in targets if target["health"] == "up"}

    eventually(lambda: up() == set(environment.pids()))
    groups = get(f"{urls['prometheus']}/api/v1/rules")["data"]["groups"]
    assert {group["name"] for group in groups} == {
        *environment.pids(),
        "machine",
        "gateway-upkeep",
        "mortgage-approval-service-level",
    }
    assert all(rule["health"] in {"ok", "unknown"} for group in groups for rule in group["rules"])


def test_a_killed_service_heals(environment):
    before = environment.pids()["gateway"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: (info := environment.client.info("gateway")).state == "RUNNING" and info.pid != before)
    assert environment.drifted() == set()


def test_drift_is_named_and_repaired(environment):
    environment.client._call("stopProcessGroup", "alertmanager", True)
    edited = environment.home / "config/gateway/clusters.json"
    edited.write_text(edited.read_text() + "\n")
    (environment.home / "config/prometheus/targets/mlflow.json").unlink()
    untouched = {name: pid for name, pid in environment.pids().items() if name != "alertmanager"}
    assert environment.drifted() == {"alertmanager", "alertmanager-ready", "gateway", "mlflow-target"}
    environment.up()
    assert environment.drifted() == set()
    after = environment.pids()
    assert {name: after[name] for name in untouched} == untouched, "Envoy reads the file again by itself"


def test_a_dead_supervisor_is_drift_and_up_brings_all_back(environment):
    os.kill(environment.client.pid(), signal.SIGKILL)
    eventually(lambda: environment.client.identity() is None)
    drifted = environment.drifted()
    assert {"supervisor", "mlflow", "gateway", "runner", "prometheus"} <= drifted
    environment.up()
    assert environment.drifted() == set()
    running = [process.service for process in marked_processes(environment.home)]
    assert running.count("supervisor") == 1
    assert running.count("gateway") == 1


def test_down_leaves_no_process_and_no_port(environment):
    ports = pulumi_embedded.outputs("mlstrata", "local", environment.backend, pulumi_embedded.Passphrase("test"))[
        "ports"
    ]
    environment.down()
    assert not marked_processes(environment.home)
    assert all(is_free(int(port)) for named in ports.values() for port in named.values())
    assert not list((environment.home / "config").rglob("*"))
    assert (environment.home / "data/mlflow/mlflow.db").exists()
