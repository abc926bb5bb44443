"""Alert rules: what Prometheus and Alertmanager make of them, by their own tools."""

import importlib
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import mlstrata.services
from mlstrata.components.programs import tools_folder
from mlstrata.services.alerts import alertmanager, prometheus
from mlstrata.services.alerts.rules import (
    CERTIFICATE_ENDS,
    DAMAGED,
    ROUNDS,
    SCORING_FAILED,
    TRAINING_FAILED,
    learning_rules,
    machine_rules,
    recorder_rules,
    schedule_rules,
    service_rounds,
    service_rules,
    system_rules,
    upkeep_rules,
)
from mlstrata.services.alerts.settings import Learner, Receiver, ServiceLevel, Target, Watched
from mlstrata.services.gateway.names import ARCHIVED

SERVICE_LEVEL = ServiceLevel(system="loans", owner="loans@example.com", p99_seconds=0.25, availability=99)
WATCHED = Watched(service="serving-loans", owner="loans@example.com", system="loans")
RULES = {
    "learning": learning_rules({"loans": "loans@example.com"}),
    "machine": machine_rules("platform@example.com"),
    "upkeep": upkeep_rules("platform@example.com"),
    "scoring": schedule_rules({"loans": "loans@example.com"}, SCORING_FAILED),
    "training": schedule_rules({"loans": "loans@example.com"}, TRAINING_FAILED),
    "recorded": recorder_rules({"loans": "loans@example.com"}),
    "service": service_rules(WATCHED),
    "system": system_rules(SERVICE_LEVEL),
} | {f"{service}-rounds": service_rounds(service, "platform@example.com") for service in ROUNDS}


def tool(name: str) -> str:
    cached = tools_folder() / name
    found = str(cached) if cached.exists() else shutil.which(name)
    assert found, f"{name} is missing: make install brings it"
    return found


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", RULES)
def test_promtool_takes_the_rules(name: str, tmp_path: Path):
    path = tmp_path / "rules.yml"
    path.write_text(RULES[name])
    assert "SUCCESS" in run(tool("promtool"), "check", "rules", str(path))


@pytest.mark.parametrize("name", RULES)
def test_every_alert_says_whose_it_is_and_what_happened(name: str):
    for rule in yaml.safe_load(RULES[name])["groups"][0]["rules"]:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["labels"]["owner"].endswith("@example.com")
        assert rule["labels"]["system"] in {"loans", "platform"}
        assert len(rule["annotations"]["summary"]) > 10


def test_promtool_takes_the_configuration_with_contributed_files(tmp_path: Path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "targets").mkdir()
    for name, rules in RULES.items():
        (tmp_path / "rules" / f"{name}.yml").write_text(rules)
    target = prometheus.render_target(Target(service="serving-loans", port=8082, system="loans", path="/stats"))
    (tmp_path / "targets/serving-loans.json").write_text(target)
    (tmp_path / "prometheus.yml").write_text(prometheus.render_config(9093))
    assert "SUCCESS" in run(tool("promtool"), "check", "config", str(tmp_path / "prometheus.yml"))
    assert json.loads(target)[0]["labels"] == {"job": "serving-loans", "system": "loans", "__metrics_path__": "/stats"}


def test_a_metric_that_says_whose_it_is_keeps_it():
    """Else the rules of a system never find what the platform's own services measure of it."""
    (scraped,) = yaml.safe_load(prometheus.render_config(9093))["scrape_configs"]
    assert scraped["honor_labels"] is True


def test_amtool_takes_the_configuration(tmp_path: Path):
    path = tmp_path / "alertmanager.yml"
    token = tmp_path / "token"
    token.write_text("of-the-learning-process")
    for learner in (None, Learner(port=9100, token_file=str(token))):
        path.write_text(alertmanager.render_config(Receiver(port=9099), learner))
        assert "SUCCESS" in run(tool("amtool"), "check-config", str(path))


REQUESTS = 'mlstrata_predict_requests_total{system="loans", version="1", code="%s"}'
REFUSED = 'mlstrata_predict_refused_total{system="loans", reason="%s"}'
BUCKET = 'mlstrata_predict_seconds_bucket{system="loans", version="1", le="%s"}'
UP = 'up{job="serving-loans"}'
SERVICE = '%s{service="serving-loans"}'
LOANS = '%s{system="loans"}'


@dataclass(frozen=True)
class Case:
    why: str
    rules: str
    series: Mapping[str, str]
    minutes: int
    alert: str
    fires: bool


CASES = [
    Case("no traffic is no error", "system", {}, 10, "SystemErrorsFast", False),
    Case("all well", "system", {REQUESTS % 200: "0+60x90"}, 80, "SystemErrorsFast", False),
    Case(
        "a fifth fails",
        "system",
        {REQUESTS % 200: "0+48x90", REQUESTS % 500: "0+12x90"},
        80,
        "SystemErrorsFast",
        True,
    ),
    Case(
        "the caller's mistakes are not ours",
        "system",
        {REQUESTS % 200: "0+10x90", REQUESTS % 422: "0+50x90"},
        80,
        "SystemErrorsFast",
        False,
    ),
    Case(
        "one error of four is an anecdote",
        "system",
        {REQUESTS % 500: "0+0.5x90"},
        80,
        "SystemErrorsFast",
        False,
    ),
    Case(
        "a slow burn of the budget",
        "system",
        {REQUESTS % 200: "0+92x500", REQUESTS % 503: "0+8x500"},
        400,
        "SystemErrorsSlow",
        True,
    ),
    Case(
        "slower than its objective",
        "system",
        {REQUESTS % 200: "0+60x30", BUCKET % "0.25": "0+50x30", BUCKET % "1.0": "0+60x30", BUCKET % "+Inf": "0+60x30"},
        20,
        "SystemSlow",
        True,
    ),
    Case(
        "as fast as its objective",
        "system",
        {REQUESTS % 200: "0+60x30", BUCKET % "0.25": "0+60x30", BUCKET % "1.0": "0+60x30", BUCKET % "+Inf": "0+60x30"},
        20,
        "SystemSlow",
        False,
    ),
    Case(
        "one request in ten is refused",
        "system",
        {REQUESTS % 200: "0+54x30", REQUESTS % 503: "0+6x30", REFUSED % "waited": "0+6x30"},
        20,
        "SystemOverloaded",
        True,
    ),
    Case(
        "errors are no overload",
        "system",
        {REQUESTS % 200: "0+54x30", REQUESTS % 503: "0+6x30", REFUSED % "late": "0+0x30"},
        20,
        "SystemOverloaded",
        False,
    ),
    Case("down", "service", {UP: "0x20"}, 10, "ServiceDown", True),
    Case("up", "service", {UP: "1x20"}, 10, "ServiceDown", False),
    Case(
        "one restart is healing",
        "service",
        {SERVICE % "mlstrata_service_start_time_seconds": "1x5 2x20"},
        10,
        "ServiceRestarts",
        False,
    ),
    Case(
        "restart after restart",
        "service",
        {SERVICE % "mlstrata_service_start_time_seconds": "0+100x20"},
        10,
        "ServiceRestarts",
        True,
    ),
    Case(
        "takes every processor",
        "service",
        {SERVICE % "mlstrata_service_cpu_seconds_total": "0+119x40", "mlstrata_cpus": "2x40"},
        30,
        "ServiceBusy",
        True,
    ),
    Case(
        "takes one of two processors",
        "service",
        {SERVICE % "mlstrata_service_cpu_seconds_total": "0+60x40", "mlstrata_cpus": "2x40"},
        30,
        "ServiceBusy",
        False,
    ),
    Case(
        "holds most of the memory",
        "service",
        {SERVICE % "mlstrata_service_resident_bytes": "6e9x20", "mlstrata_memory_total_bytes": "1e10x20"},
        10,
        "ServiceMemory",
        True,
    ),
    Case(
        "the disk is nearly full",
        "machine",
        {"mlstrata_disk_free_bytes": "5e9x20", "mlstrata_disk_size_bytes": "1e11x20"},
        10,
        "DiskNearlyFull",
        True,
    ),
    Case(
        "the disk fills up",
        "machine",
        {"mlstrata_disk_free_bytes": "4e10-3e8x90", "mlstrata_disk_size_bytes": "1e11x90"},
        80,
        "DiskFillsUp",
        True,
    ),
    Case(
        "the memory runs out",
        "machine",
        {"mlstrata_memory_available_bytes": "5e8x20", "mlstrata_memory_total_bytes": "1e10x20"},
        10,
        "MemoryNearlyFull",
        True,
    ),
    Case("archived every minute", "upkeep", {ARCHIVED: "0+60x90"}, 80, "AccessLogNotArchived", False),
    Case("nothing archived any more", "upkeep", {ARCHIVED: "0+60x10 600x80"}, 80, "AccessLogNotArchived", True),
    Case("no gateway, no log", "upkeep", {}, 80, "AccessLogNotArchived", False),
    Case("scored in vain", "scoring", {LOANS % SCORING_FAILED: "0x5 1x20"}, 10, "ScoringFailed", True),
    Case("scored again", "scoring", {LOANS % SCORING_FAILED: "1x5 0x20"}, 10, "ScoringFailed", False),
    Case("trained in vain", "training", {LOANS % TRAINING_FAILED: "0x5 1x20"}, 10, "TrainingFailed", True),
    Case("another's", "training", {TRAINING_FAILED + '{system="cards"}': "1x20"}, 10, "TrainingFailed", False),
    Case("good for 13 days", "upkeep", {CERTIFICATE_ENDS: f"{13 * 86400}x20"}, 10, "CertificateEnds", True),
    Case("the disk changed a record", "recorded", {LOANS % DAMAGED: "0x5 2x5 0x9"}, 15, "RecordsDamaged", True),
    Case("all records are as written", "recorded", {LOANS % DAMAGED: "0x20"}, 15, "RecordsDamaged", False),
    Case("good for 15 days", "upkeep", {CERTIFICATE_ENDS: f"{15 * 86400}x20"}, 10, "CertificateEnds", False),
]


for service, every in ROUNDS.items():
    for one in every:
        late = one.seconds // 60 + 5
        goes_on = {one.metric: f"0+60x{late + 15}"}
        stands = {one.metric: f"0+60x9 600x{late + 15}"}
        CASES += [
            Case(f"{one.alert}: goes on", f"{service}-rounds", goes_on, late + 12, one.alert, False),
            Case(f"{one.alert}: stands", f"{service}-rounds", stands, late + 12, one.alert, True),
            Case(f"{one.alert}: is not there", f"{service}-rounds", {}, late + 12, one.alert, False),
        ]


def test_somebody_hears_of_all_rounds_that_stand():
    """Of each `Rounds` that there is some rule asks."""
    found, root = set(), Path(mlstrata.services.__file__).parents[1]
    for path in root.rglob("*.py"):
        if "(Rounds):" in (text := path.read_text()):
            module = importlib.import_module(".".join(("mlstrata", *path.relative_to(root).with_suffix("").parts)))
            found |= {getattr(module, name) for name in re.findall(r'super\(\).__init__\("[\w-]+", (\w+),', text)}
    assert len(found) == 7
    assert found == {one.metric for every in ROUNDS.values() for one in every}


@pytest.mark.parametrize("case", CASES, ids=[case.why for case in CASES])
def test_alerts_fire_when_they_should(case: Case, tmp_path: Path):
    (tmp_path / "rules.yml").write_text(RULES[case.rules])
    rules = yaml.safe_load(RULES[case.rules])["groups"][0]["rules"]
    (rule,) = [rule for rule in rules if rule["alert"] == case.alert]
    carried = {"ServiceDown": {"job": "serving-loans"}, "ServiceRestarts": {"service": "serving-loans"}}
    labels = {**rule["labels"], **carried.get(case.alert, {})}
    expected = [{"exp_labels": labels, "exp_annotations": rule["annotations"]}] if case.fires else []
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
                "alert_rule_test": [{"eval_time": f"{case.minutes}m", "alertname": case.alert, "exp_alerts": expected}],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test))
    assert "SUCCESS" in run(tool("promtool"), "test", "rules", str(tmp_path / "test.yml"))


def test_alerts_with_a_cause_reach_the_learning_process_and_the_log_has_them_all(tmp_path):
    config = yaml.safe_load(alertmanager.render_config(Receiver(port=9099), Learner(port=9100, token_file="/t")))
    first, second = config["route"]["routes"]
    assert first == {"receiver": "learning", "matchers": ['cause!=""'], "continue": True}
    assert second == {"receiver": "log"}
    (hook,) = next(one for one in config["receivers"] if one["name"] == "learning")["webhook_configs"]
    assert hook["url"] == "http://127.0.0.1:9100/alerts"
    assert hook["http_config"]["authorization"]["credentials_file"] == "/t"
    assert hook["send_resolved"] is False


def test_a_system_that_learns_has_its_rules():
    rules = yaml.safe_load(learning_rules({"credit": "ann@example.com"}))["groups"][0]["rules"]
    assert [one["alert"] for one in rules] == ["LearningStopped", "RetrainingUnreleased", "RolloutWaits"]
    assert all(one["labels"]["owner"] == "ann@example.com" for one in rules)
