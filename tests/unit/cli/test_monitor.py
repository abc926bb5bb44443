"""`mlstrata monitor`: the last verdicts, and an exit code for scripts."""

import json
import re
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlstrata.cli.application import app
from mlstrata.cli.main import main
from mlstrata.environments import load
from mlstrata.services.monitor.verdict import FILE, Finding, Verdict, Watch, folder

LOCAL = Path(__file__).parents[3] / "environments/local.yaml"
SWITCHED = "capabilities: {on: [recording, monitoring]}\n"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/lab.yaml").write_text(
        re.sub(r"(?m)^capabilities:.*\n", SWITCHED, LOCAL.read_text())
        .replace("name: local", "name: lab")
        .replace("stage: mature", "stage: foundation")
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(workspace: Path, *findings: Finding, age: float = 60, **changed: object) -> None:
    values = {"system": "mortgage-approval", "version": "7", "state": "judged", "at": time.time() - age, "rows": 900}
    made = Verdict.model_validate({**values, "window": 86400, "findings": findings, **changed})
    place = folder(workspace / ".mlstrata/lab", "mortgage-approval")
    place.mkdir(parents=True)
    (place / FILE).write_text(made.model_dump_json())


def drift(*, alert: bool) -> Finding:
    since = time.time() - 7300 if alert else None
    return Finding(
        watch=Watch.INPUT_DRIFT, of="pirat", value=0.61, limit=0.2, rows=900, alert=alert, sure="p = 1e-59", since=since
    )


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["monitor", "lab", *arguments])
    return done.exit_code, done.stdout


def test_it_says_what_since_when_and_how_sure_and_exits_1(workspace: Path):
    told(workspace, drift(alert=True))
    code, text = run()
    assert code == 1
    for word in ("alert", "pirat", "0.61", "0.2", "for 2 h 1 min", "p = 1e-59", "consumer-credit"):
        assert word in text


def test_quiet_systems_exit_0_and_show_what_was_measured_on_request(workspace: Path):
    told(workspace, drift(alert=False))
    code, text = run("mortgage-approval")
    assert (code, "pirat" in text) == (0, False)
    assert "pirat" in run("mortgage-approval", "--full")[1]


def test_a_verdict_that_cannot_be_read_is_none_yet(workspace: Path):
    told(workspace, drift(alert=True))
    (folder(workspace / ".mlstrata/lab", "mortgage-approval") / FILE).write_text('{"state": "of another program"}')
    code, text = run("--json")
    assert code == 0
    assert [one["verdict"] for one in json.loads(text)["systems"] if one["system"] == "mortgage-approval"] == [None]


def test_json_is_one_document(workspace: Path):
    told(workspace, drift(alert=True))
    code, text = run("--json")
    document = json.loads(text)
    assert code == 1
    assert document["alerts"] is True
    assert [one["system"] for one in document["systems"]] == [one.name for one in load(LOCAL).systems]
    assert document["systems"][1]["verdict"] is None


def test_an_old_verdict_says_that_it_is_old(workspace: Path):
    told(workspace, age=86400)
    assert "is the service monitor running?" in run()[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["mortgage"], "got 'mortgage', which is not declared"), ([], "'monitoring' is not among them")],
)
def test_what_is_not_there_is_refused_with_the_fix(
    workspace: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
):
    if not arguments:
        file = workspace / "environments/lab.yaml"
        file.write_text(file.read_text().replace(SWITCHED, ""))
    assert main(["monitor", "lab", *arguments]) == 2
    assert said in capsys.readouterr().err
