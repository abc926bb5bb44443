"""The monitor on a cluster: what it is told and may reach, and what it judges of a store in Postgres and a registry."""

import itertools
import json
import os
import subprocess
import sys
from contextlib import closing
from types import SimpleNamespace

import httpx
import pytest

from mlstrata.cli.main import main
from mlstrata.clients.mlflow import RegistryError
from mlstrata.services.catalog.settings import Declared
from mlstrata.services.monitor.following import Following
from mlstrata.services.monitor.names import TOKEN
from mlstrata.services.monitor.rounds import Monitor
from mlstrata.services.monitor.settings import ClusterMonitorSettings
from mlstrata.services.monitor.verdict import Watch
from mlstrata.services.recording import distributed
from mlstrata.services.recording.names import STORE_ADDRESS
from mlstrata.services.serving.releases import Releases
from mlstrata_steps.reference import FILE
from tests.support.distributed import Distributed
from tests.support.patience import PATIENCE, eventually
from tests.support.ports import free_ports
from tests.support.postgres import running
from tests.support.scaled import at_scale
from tests.unit.monitor.test_rounds import NOW, alerting, made, records, system  # noqa: F401 - a fixture


@pytest.fixture(scope="module")
def address():
    with running() as server, closing(Distributed(server)) as stores:
        yield stores.address()


class Said:
    """A registry that says what a test has it say."""

    def __init__(self, content):
        self.version, self.files, self.answers, self.asked = None, {FILE: content}, True, 0

    def champion(self, _):
        if not self.answers:
            raise RegistryError("the registry does not answer")
        return self.version

    def candidate(self, _, version):
        return SimpleNamespace(files=f"models/{version}")

    def listed(self, _):
        return [{"path": name} for name in self.files]

    def read(self, _, name):
        self.asked += 1
        return self.files[name]


def test_it_judges_what_the_registry_says_is_released_by_what_postgres_has(address, tmp_path, made):  # noqa: F811 - the fixture
    declared = tmp_path / "declared.json"
    declared.write_text(Declared(name="dev", owner=None, systems=(system(),)).text())
    settings = ClusterMonitorSettings(
        port=1, home=tmp_path / "data", declared=declared, database="recorder", registry="http://registry"
    )
    said = Said(made.reference.text().encode())
    opened = []

    def open_it(_):
        opened.append(distributed.open_store(address, read_only=True))
        return opened[-1]

    times = itertools.count(NOW, 10.0)
    # `first`: its own thread begins no round while this one does.
    watches = Monitor(settings, open_it, lambda: next(times), first=1e9, follow=Following(settings.home, said).look)
    assert watches.round() == ""
    assert watches.verdicts["mortgage"].detail == "nothing was recorded yet"
    with closing(distributed.open_store(address)) as store:
        assert watches.round() == ""
        assert watches.verdicts["mortgage"].state == "nothing_released"
        said.version = "1"
        store.add(records(made, made.later, NOW - 7200))
        assert watches.round() == ""
        verdict = watches.verdicts["mortgage"]
        assert (verdict.version, verdict.state, verdict.rows) == ("1", "judged", len(made.later))
        assert alerting(verdict, Watch.INPUT_DRIFT) == set()
        said.answers = False
        assert watches.round() == "", "what it said last holds"
        assert said.asked == 1, "a reference is fetched once"
        said.answers, said.version, said.files = True, "2", {}
        watches.round()
        assert watches.verdicts["mortgage"].state == "no_reference"
    for one in opened:
        one.close()


def test_a_registry_that_never_answered_is_told(tmp_path):
    said = Said(b"")
    said.answers = False
    with pytest.raises(RegistryError):
        Following(tmp_path, said).look("credit")
    said.answers = True
    Following(tmp_path, said).look("credit")
    assert Releases.read(tmp_path / "data/serving/credit").champion is None


def test_a_process_that_reaches_nothing_answers_and_says_that_it_is_blind(tmp_path, monkeypatch, capsys):
    port, nobody = free_ports(2)
    declared, settings = tmp_path / "declared.json", tmp_path / "monitor.json"
    declared.write_text(Declared(name="dev", owner=None, systems=(system(name="mortgage-approval"),)).text())
    told = {"port": port, "home": str(tmp_path / "data"), "declared": str(declared), "database": "recorder"}
    settings.write_text(json.dumps({**told, "registry": f"http://127.0.0.1:{nobody}"}))
    variables = {TOKEN: "t" * 20, STORE_ADDRESS: f"postgresql://a:hidden-word@127.0.0.1:{nobody}/mlflow"}
    command = [sys.executable, "-m", "mlstrata.services.monitor.cluster", "--settings", str(settings)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | variables)
    try:
        assert process.stdout.readline().startswith("monitor listens on")
        ask = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE)
        assert eventually(
            lambda: 'mlstrata_monitor_blind{system="mortgage-approval",version="none"} 1' in ask.get("/metrics").text
        )
        assert ask.get("/healthz").status_code == 200
        assert ask.get("/systems").status_code == 401
        found = ask.get("/systems/mortgage-approval", headers={"Authorization": f"Bearer {'t' * 20}"}).json()
        assert found["state"] == "failed"
        assert "hidden-word" not in json.dumps(found)
        monkeypatch.setenv("MLSTRATA_MONITOR_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv(TOKEN, "t" * 20)
        assert main(["monitor", "dev", "--json"]) == 0
        known = {one["system"]: one["verdict"] for one in json.loads(capsys.readouterr().out)["systems"]}
        assert known["mortgage-approval"]["state"] == "failed"
        assert known["ticket-routing"] is None
    finally:
        process.terminate()
        process.wait(PATIENCE)
        process.stdout.close()


def test_the_service_reaches_its_database_and_the_registry_and_rules_are_objects_of_the_system():
    graph = at_scale()
    told = graph.one("ConfigMap", "monitor-settings").inputs["data"]
    settings = ClusterMonitorSettings.model_validate_json(told["monitor.json"])
    (container,) = graph.one("Deployment", "monitor").inputs["spec"]["template"]["spec"]["containers"]
    env = {one["name"]: one.get("value") for one in container["env"]}
    assert env["MLSTRATA_REGISTRY_PATIENCE_S"] == "0", "a round does not wait ten minutes, as a job does"
    assert settings.registry == "http://mlflow.mlstrata-dev.svc:5000"
    assert {one.name for one in Declared.model_validate_json(told["declared.json"]).systems} >= {"mortgage-approval"}
    for name, port in {"database": 5432, "registry": 5000}.items():
        (way,) = graph.one("NetworkPolicy", f"monitor-{name}").inputs["spec"]["egress"]
        assert [one["port"] for one in way["ports"]] == [port]
    rules = {
        one.inputs["metadata"]["name"]: [rule.get("alert") for rule in one.inputs["spec"]["groups"][0]["rules"]]
        for one in graph.all("PrometheusRule")
    }
    assert rules["monitor-mortgage-approval"][:3] == ["InputDrift", "OutputDrift", "DataQuality"]
    assert rules["fairness-mortgage-approval"] == ["FairnessGap"]
    assert rules["promise-ticket-routing"] == ["SlaMissed"]
    assert "fairness-ticket-routing" not in rules, "it has no groups"
    assert (rules["monitor-rounds"], rules["recorder-rounds"]) == (["MonitorStands"], ["RecordsNotPruned"])
