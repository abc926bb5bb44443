"""Alert rules of the monitor: what Prometheus makes of them, whom they tell, and what the policies see in a plan."""

import subprocess
from pathlib import Path

import pulumi
import pytest
import yaml

from mlstrata.components.programs import tools_folder
from mlstrata.environments import EnvironmentSpec, Workspace, load
from mlstrata.environments.spec.monitor import DriftSpec
from mlstrata.environments.spec.retrain import Cause
from mlstrata.services.monitor.exposition import exposition
from mlstrata.services.monitor.rules import fairness_rules, monitoring_rules, promise_rules
from mlstrata.services.monitor.verdict import Finding, Verdict, Watch
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, record

LOCAL = Path(__file__).parents[3] / "environments/local.yaml"
SHIPPED = load(LOCAL).systems[0]
MORTGAGE = SHIPPED.model_copy(update={"monitor": SHIPPED.monitor.model_copy(update={"drift": DriftSpec()})})
OWNER = "lending@example.com"
RULES = {
    "monitor": monitoring_rules(MORTGAGE, OWNER),
    "fairness": fairness_rules(MORTGAGE, OWNER),
    "promise": promise_rules(MORTGAGE, OWNER),
}
ALERT = Verdict(
    system="mortgage-approval",
    version="7",
    state="judged",
    at=0,
    window=86400,
    findings=(
        Finding(watch=Watch.INPUT_DRIFT, of="pirat", value=0.61, limit=0.2, rows=600, alert=True, sure="p = 1e-59"),
        Finding(watch=Watch.INPUT_DRIFT, of="hirat", value=0.30, limit=0.2, rows=600, alert=False, sure="p = 0.01"),
        Finding(watch=Watch.PERFORMANCE, of="auc", value=0.6, limit=0.75, rows=600, alert=True, sure="0.5 to 0.7"),
        Finding(watch=Watch.FAIRNESS, of="afam", value=0.3, limit=0.15, rows=600, alert=True, sure="0.2 to 0.4"),
    ),
)


def promtool(*arguments: str) -> str:
    done = subprocess.run([str(tools_folder() / "promtool"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def all_rules() -> list[dict]:
    return [rule for text in RULES.values() for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("name", RULES)
def test_promtool_takes_the_rules(name: str, tmp_path: Path):
    (tmp_path / "rules.yml").write_text(RULES[name])
    assert "SUCCESS" in promtool("check", "rules", str(tmp_path / "rules.yml"))


def test_the_rules_fire_for_what_the_monitor_found_and_for_nothing_else(tmp_path: Path):
    for name, text in RULES.items():
        (tmp_path / f"{name}.yml").write_text(text)
    lines = [line.rsplit(" ", 1) for line in exposition([ALERT]).splitlines() if not line.startswith("#")]

    def alert(*parts: str) -> dict:
        name, column, value, limit, said, severity, cause = parts
        labels = {"severity": severity, "owner": OWNER, "version": "7", "column": column, "cause": cause}
        told = {"summary": f"mortgage-approval: {said}", "value": value, "limit": limit, "window": "1d"}
        expected = {"exp_labels": {**labels, "system": "mortgage-approval"}}
        return {
            "eval_time": "1m",
            "alertname": name,
            "exp_alerts": [{**expected, "exp_annotations": {**told, "column": column}}],
        }

    psi = "0.2 (0.1 of a column of named values)"
    document = {
        "rule_files": [f"{name}.yml" for name in RULES],
        "evaluation_interval": "5s",
        "tests": [
            {
                "interval": "5s",
                "input_series": [{"series": series, "values": f"{value}+0x20"} for series, value in lines],
                "alert_rule_test": [
                    alert(
                        *("InputDrift", "pirat", "0.61", psi),
                        f"input pirat has drifted, PSI 0.61; limit {psi}; over 1d",
                        *("warning", "input_drift"),
                    ),
                    alert(
                        *("PerformanceDegraded", "auc", "0.6", "at least 0.75"),
                        "auc is 0.6; limit at least 0.75; over 1d",
                        *("critical", "performance"),
                    ),
                    alert(
                        *("FairnessGap", "afam", "0.3", "0.15"),
                        "groups of afam differ in demographic parity by 0.3; limit 0.15; over 1d",
                        *("critical", "fairness"),
                    ),
                    {"eval_time": "1m", "alertname": "OutputDrift", "exp_alerts": []},
                    {"eval_time": "1m", "alertname": "MonitorBlind", "exp_alerts": []},
                ],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
    promtool("test", "rules", str(tmp_path / "test.yml"))


def test_what_a_training_may_answer_says_its_cause():
    causes = {rule["alert"]: rule["labels"].get("cause") for rule in all_rules()}
    assert causes == {
        "InputDrift": Cause.INPUT_DRIFT,
        "OutputDrift": Cause.OUTPUT_DRIFT,
        "PerformanceDegraded": Cause.PERFORMANCE,
        "FairnessGap": Cause.FAIRNESS,
        "DataQuality": None,
        "MonitorBlind": None,
        "SlaMissed": None,
    }
    assert all(rule["labels"]["owner"] == OWNER for rule in all_rules())


def watched(tmp_path: Path, *on: str) -> Graph:
    values = load(LOCAL).model_dump(mode="json", by_alias=True)
    spec = EnvironmentSpec.model_validate({**values, "stage": "foundation", "capabilities": {"on": list(on)}})
    return record(lambda: [pulumi.export(*one) for one in plan(spec, Workspace(tmp_path)).items()], stack=spec.name)


def test_the_capabilities_bring_the_service_and_each_system_its_rules(tmp_path: Path):
    graph = watched(tmp_path, "recording", "monitoring", "fairness", "sla")
    assert "monitor" in {one.name for one in graph.all("Service")}
    files = {one.inputs["path"] for one in graph.all("ConfigFile") if "/rules/" in one.inputs["path"]}
    for system in ("mortgage-approval", "consumer-credit"):
        mine = graph.beneath(graph.one("AISystem", system))
        rules = [one for one in mine if one.kind == "ConfigFile" and "rules/" in one.inputs["path"]]
        alerts = {
            rule["alert"]
            for one in rules
            for group in yaml.safe_load(one.inputs["content"])["groups"]
            for rule in group["rules"]
        }
        assert {"InputDrift", "PerformanceDegraded", "FairnessGap", "SlaMissed"} <= alerts
        assert f"config/prometheus/rules/monitor-{system}.yml" in files


def test_without_them_there_is_none(tmp_path: Path):
    graph = watched(tmp_path)
    assert "monitor" not in {one.name for one in graph.all("Service")}
