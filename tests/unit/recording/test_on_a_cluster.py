"""The recorder on a cluster: who may do what with it, how it is reached, and what it does without its database."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from mlstrata.cli.main import main
from mlstrata.components.recording.names import RECORDS
from mlstrata.services.recording import names
from mlstrata.services.recording.settings import HOLD_SECONDS, ClusterRecorderSettings
from mlstrata.services.recording.subject import subject_hash
from mlstrata.services.serving.settings import ServingSettings
from tests.support.patience import PATIENCE, eventually
from tests.support.ports import free_ports
from tests.support.recording import record
from tests.support.scaled import at_scale

READS, APPENDS = "a-token-of-who-reads", "a-token-of-what-predicts"


def test_the_service_is_told_what_the_file_says_and_its_secrets_by_name_alone():
    settings = at_scale().one("ConfigMap", "recorder-settings").inputs["data"]["recorder.json"]
    told = ClusterRecorderSettings.model_validate_json(settings)
    assert (told.predictions, told.systems["mortgage-approval"].hold) == (190 * 86_400, HOLD_SECONDS)
    (container,) = at_scale().one("Deployment", "recorder").inputs["spec"]["template"]["spec"]["containers"]
    read = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container["env"]}
    assert read == {
        names.TOKEN: {"name": "recorder-access", "key": "token"},
        names.APPEND_TOKEN: {"name": "recorder-append", "key": "token"},
        names.STORE_ADDRESS: {"name": "database-app", "key": "uri"},
    }


def test_a_pod_that_predicts_appends_and_gets_nothing_that_reads():
    spec = at_scale().one("SeldonDeployment", "serving-mortgage-approval").inputs["spec"]["predictors"][0]
    assert spec["labels"].items() >= RECORDS.items()
    pod = spec["componentSpecs"][0]["spec"]
    secrets = {one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one}
    assert secrets == {"recorder-append"}
    (unit,) = pod["containers"]
    mounts = {one["name"]: one["mountPath"] for one in unit["volumeMounts"]}
    told = at_scale().one("ConfigMap", "serving-mortgage-approval-settings").inputs["data"]["model-settings.json"]
    sends = ServingSettings.model_validate(json.loads(told)["parameters"]["extra"]).recording
    assert (str(sends.spill), sends.recorder) == (mounts["spill"], "http://recorder.mlstrata-dev.svc:8095")
    assert {str(sends.token_file.parent), str(sends.key_file.parent)} == {mounts["recorder"]}
    assert (sends.required, sends.durability) == (True, "group"), "it is of high risk"
    fetch = pod["initContainers"][0]
    assert "recorder" not in {one["name"] for one in fetch["volumeMounts"]}


def test_walls_let_in_what_predicts_alone():
    (rule,) = at_scale().one("NetworkPolicy", "recorder-callers").inputs["spec"]["ingress"]
    assert [one.get("podSelector", {}).get("matchLabels") for one in rule["from"]] == [
        {"mlstrata.io/records": "true"},
        None,  # Prometheus' namespace
    ]
    callers = at_scale().one("NetworkPolicy", "database-callers").inputs["spec"]["ingress"][0]["from"]
    assert {"app.kubernetes.io/name": "recorder"} in [
        one["podSelector"]["matchLabels"] for one in callers if "podSelector" in one
    ]


def test_every_answering_system_is_recorded_and_its_owner_is_told():
    for system in ("mortgage-approval", "ticket-routing"):
        rules = at_scale().one("PrometheusRule", f"recording-{system}-rules").inputs["spec"]["groups"][0]["rules"]
        assert [one["alert"] for one in rules] == ["NothingRecorded", "RecordsDamaged"]
        assert {one["labels"]["system"] for one in rules} == {system}


@pytest.fixture
def served(postgres, tmp_path):
    address = postgres.address()
    (port,) = free_ports(1)
    settings = tmp_path / "recorder.json"
    known = {
        "port": port,
        "database": address.database,
        "predictions": 1e10,
        "systems": {"credit": {"label_share": 1.0}, "mortgage-approval": {"label_share": 1.0, "hold": 1e6}},
    }
    settings.write_text(json.dumps(known))
    where = f"postgresql://{address.user}:unused@{address.host}:{address.port}/mlflow?sslmode=disable"
    variables = {names.TOKEN: READS, names.APPEND_TOKEN: APPENDS, names.STORE_ADDRESS: where}
    command = [sys.executable, "-m", "mlstrata.services.recording.cluster", "--settings", str(settings)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | variables)
    assert process.stdout.readline().startswith("recorder listens on")

    def ask(method, path, token="", content=b""):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.request(
            method, f"http://127.0.0.1:{port}{path}", headers=headers, content=content, timeout=PATIENCE
        )

    eventually(lambda: ask("GET", "/healthz").status_code == 200)
    ask.url = f"http://127.0.0.1:{port}"
    yield ask
    process.terminate()
    process.wait(PATIENCE)
    process.stdout.close()


def test_each_token_does_what_it_is_for_and_a_lost_database_is_no_end(served, postgres):
    one = record("r-1").to_bytes()
    assert served("POST", "/records", READS, one).status_code == 401
    assert served("POST", "/records", APPENDS, one).json() == {"new": 1}
    assert served("GET", "/predictions/r-1", APPENDS).status_code == 401
    assert served("GET", "/predictions/r-1", READS).json()["records"][0]["system"] == "credit"
    assert served("GET", "/queue/labelling/credit", READS).json()["waiting"] == 1
    assert b"mlstrata_recorder_missing" not in served("GET", "/metrics").content, "nobody compares here"
    postgres.server.end()
    try:
        assert served("POST", "/records", APPENDS, record("r-2").to_bytes()).status_code == 503
        assert (served("GET", "/healthz").status_code, served("GET", "/alive").status_code) == (503, 200)
    finally:
        postgres.server.start()
    assert served("POST", "/records", APPENDS, record("r-2").to_bytes()).json() == {"new": 1}
    assert served("POST", "/records", APPENDS, record("r-3", version="a\0b").to_bytes()).status_code == 422
    assert served("GET", "/healthz").status_code == 200


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "MLSTRATA_RECORDER_TOKEN holds 0 characters; at least 16 are needed"),
        (
            {names.TOKEN: READS, names.APPEND_TOKEN: APPENDS, names.STORE_ADDRESS: "pg://a:hidden@h"},
            "MLSTRATA_RECORDER_DATABASE: the database's address is none",
        ),
    ],
)
def test_what_is_missing_is_said_and_no_secret(tmp_path, variables, said):
    settings = tmp_path / "recorder.json"
    settings.write_text(json.dumps({"port": 1, "database": "recorder", "predictions": 1, "systems": {}}))
    command = [sys.executable, "-m", "mlstrata.services.recording.cluster", "--settings", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | variables, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "hidden" not in done.stderr


def test_the_commands_that_ask_it_work_from_a_workstation(served, tmp_path, monkeypatch, capsys):
    (tmp_path / "environments").mkdir()
    shutil.copy(Path(__file__).parents[3] / "environments/dev.yaml", tmp_path / "environments")
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("MLSTRATA_RECORDER_URL", served.url)
    monkeypatch.setenv(names.TOKEN, READS)
    now = time.time()
    rows = [record(f"r-{at}", system="mortgage-approval", at=now - at, rows=2) for at in (30, 20, 10)]
    served("POST", "/records", APPENDS, b"\n".join(one.to_bytes() for one in rows))

    def said(*command):
        code = main([command[0], "dev", "mortgage-approval", *command[1:], "--json"])
        out = capsys.readouterr().out
        return json.loads(out) if code == 0 else out

    told = tmp_path / "truth.csv"
    told.write_text("id,instance,truth,group.afam\nr-20,1,yes,no\n")
    assert said("feedback", str(told))["changed"] == 1
    found = said("predictions", "--limit", "3")["predictions"]
    assert [(one["id"], one["instance"]) for one in found] == [("r-20", 1), ("r-10", 0), ("r-10", 1)]
    assert (found[0]["feedback"]["truth"], "groups" in found[0]["feedback"]) == ("yes", False)
    one = said("predictions", "--id", "r-20")
    assert (one["records"][0]["version"], one["feedback"][0]["truth"]) == ("1", "yes")
    assert said("predictions", "--export", str(tmp_path / "rows.parquet"))["rows"] == 6
    assert said("queue")["waiting"] == 5
    assert said("queue", "--id", "r-10:0", "--truth", "no", "--reviewer", "anna")["changed"] is True
    assert said("queue")["waiting"] == 4
    person = record("r-person", system="mortgage-approval", at=now, subject=subject_hash("key-of-the-test", "anna"))
    served("POST", "/records", APPENDS, person.to_bytes())
    monkeypatch.setenv(names.SUBJECT_KEY, "key-of-the-test")
    done = said("erase", "--subject", "anna", "--reason", "asked by letter", "--yes")
    assert (done["erased"], done["held"]) == (0, 1), "it is of high risk, and the law has it kept"
    assert [one["id"] for one in said("predictions")["predictions"] if one["id"] == "r-person"] == []
    monkeypatch.setenv(names.TOKEN, APPENDS)
    assert main(["predictions", "dev", "mortgage-approval"]) == 2
    assert "the recorder refused it: a bearer token is needed" in capsys.readouterr().err
    monkeypatch.setenv(names.TOKEN, READS)
    monkeypatch.setenv("MLSTRATA_RECORDER_URL", "http://127.0.0.1:1")
    assert main(["predictions", "dev", "mortgage-approval"]) == 2
    assert "the recorder at http://127.0.0.1:1 does not answer" in capsys.readouterr().err
    assert served("GET", "/rows/mortgage-approval?since=x&until=1", READS).status_code == 422
    assert served("GET", "/rows/nobody?since=0&until=1", READS).status_code == 404
