"""The Prometheus operator itself takes an environment's rules and monitors, and writes what Prometheus can read."""

import base64
import gzip
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mlstrata.components.monitoring.kubernetes import RECEIVER
from mlstrata.components.programs import tools_folder
from tests.support.cluster import Cluster, Json
from tests.support.rendered import STAGES

GROUP, SPACE, NAME = "monitoring.coreos.com", "monitoring", "mlstrata-dev"
SAID = {
    **dict.fromkeys(("ServiceMonitor", "PodMonitor", "PrometheusRule"), "Accepted"),
    **dict.fromkeys(("Prometheus", "Alertmanager"), "Reconciled"),
}
"""What the operator says of each kind; of an AlertmanagerConfig nothing: it is seen in what Alertmanager is given."""


@pytest.fixture(scope="module")
def ours(stages: dict[str, list[Json]]) -> list[Json]:
    """Return what the environment has of the operator's kinds."""
    found = [one for one in stages[STAGES[-1]] if one["apiVersion"].startswith(f"{GROUP}/")]
    assert {one["kind"] for one in found} == {*SAID, "AlertmanagerConfig"}
    return found


@pytest.fixture(scope="module")
def operator(cluster: Cluster, ours: list[Json]) -> Iterator[None]:
    metadata = {"name": RECEIVER, "namespace": NAME}
    address = {"url": "https://alerts.example/hook"}
    cluster.must([{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": address}])
    features = "--feature-gates=StatusForConfigurationResources=true"
    cluster.run("prometheus-operator", "--web.listen-address=127.0.0.1:0", features, KUBECONFIG=str(cluster.kubeconfig))
    yield
    cluster.end("prometheus-operator")
    cluster.kubectl("delete", "secret", RECEIVER, "-n", NAME)


def condition(cluster: Cluster, one: Json, name: str) -> tuple[str, str]:
    """Return what the operator says of an object of its own kinds: the state and its message."""
    found = cluster.get(f"{one['kind'].lower()}.{GROUP}", one["metadata"]["name"], one["metadata"]["namespace"])
    status = found.get("status", {})
    bound = [condition for binding in status.get("bindings", []) for condition in binding["conditions"]]
    for condition in [*status.get("conditions", []), *bound]:
        if condition["type"] == name:
            return condition["status"], condition.get("message", "")
    return "", "nothing is said"


def named(groups: list[Json]) -> list[str]:
    """Return the names of all rules."""
    return sorted(rule.get("alert") or rule["record"] for group in groups for rule in group["rules"])


def unpacked(cluster: Cluster, secret: str, member: str) -> str:
    """Return a configuration that the operator wrote; empty as long as it has not."""
    answer = cluster.kubectl("get", "secret", secret, "-n", SPACE, "--ignore-not-found", "-o", "json")
    assert answer.code == 0, answer.err
    packed = answer.json["data"].get(member) if answer.out.strip() else None
    return gzip.decompress(base64.b64decode(packed)).decode() if packed else ""


def test_each_rule_and_monitor_is_accepted_and_reconciled(cluster: Cluster, ours: list[Json], operator: None):
    for one in (one for one in ours if one["kind"] in SAID):
        name = SAID[one["kind"]]
        said = f"{name} of {one['kind']} {one['metadata']['name']}"
        cluster.eventually(said, lambda one=one, name=name: condition(cluster, one, name)[0] != "")
        assert condition(cluster, one, name)[0] == "True", (said, condition(cluster, one, name))


def test_a_rule_that_is_none_is_refused(cluster: Cluster, ours: list[Json], operator: None):
    """The operator does look: an expression that Prometheus could not read is not accepted."""
    rule = next(one for one in ours if one["kind"] == "PrometheusRule")
    broken = [{"name": "broken", "rules": [{"alert": "Broken", "expr": "up =="}]}]
    wrong = {**rule, "metadata": {**rule["metadata"], "name": "broken"}, "spec": {"groups": broken}}
    cluster.must([wrong])
    try:
        cluster.eventually("a refusal", lambda: condition(cluster, wrong, "Accepted")[0] == "False")
    finally:
        cluster.kubectl("delete", "prometheusrule", "broken", "-n", rule["metadata"]["namespace"])


def test_prometheus_can_read_what_it_is_given(cluster: Cluster, ours: list[Json], operator: None, tmp_path: Path):
    wanted = {
        f"{kind.lower()[0]}{kind[1:]}/{one['metadata']['namespace']}/{one['metadata']['name']}"
        for kind in ("ServiceMonitor", "PodMonitor")
        for one in ours
        if one["kind"] == kind
    }

    def scraped() -> set[str]:
        config = yaml.safe_load(unpacked(cluster, f"prometheus-{NAME}", "prometheus.yaml.gz")) or {}
        return {one["job_name"].rpartition("/")[0] for one in config.get("scrape_configs") or []}

    cluster.eventually("the configuration", lambda: scraped() == wanted)
    config = yaml.safe_load(unpacked(cluster, f"prometheus-{NAME}", "prometheus.yaml.gz"))
    rules = cluster.get("configmap", f"prometheus-{NAME}-rulefiles-0", SPACE)["data"]
    given = [group for text in rules.values() for group in yaml.safe_load(text)["groups"]]
    asked = [group for one in ours if one["kind"] == "PrometheusRule" for group in one["spec"]["groups"]]
    assert named(given) == named(asked)
    # Inside its pod the rules are elsewhere; and here no account's token is, which the check would look for.
    for name, text in rules.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    config["rule_files"] = [str(tmp_path / name) for name in rules]
    account = tmp_path / "serviceaccount"
    account.mkdir()
    for name in ("token", "ca.crt"):
        (account / name).write_text("here the cluster's own would be", encoding="utf-8")
    text = yaml.safe_dump(config).replace("/var/run/secrets/kubernetes.io/serviceaccount", str(account))
    (tmp_path / "prometheus.yaml").write_text(text, encoding="utf-8")
    checked = [str(cluster.programs["promtool"]), "check", "config", str(tmp_path / "prometheus.yaml")]
    done = subprocess.run(checked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is valid prometheus config file syntax" in done.stdout
    assert f"{len(rules)} rule files found" in done.stdout
    assert done.stdout.count(" rules found") == len(rules), done.stdout


def test_alertmanager_can_read_where_alerts_go(cluster: Cluster, operator: None, tmp_path: Path):
    def config() -> str:
        return unpacked(cluster, f"alertmanager-{NAME}-generated", "alertmanager.yaml.gz")

    cluster.eventually("the route", lambda: "https://alerts.example/hook" in config())
    (tmp_path / "alertmanager.yaml").write_text(config(), encoding="utf-8")
    amtool = shutil.which("amtool") or str(tools_folder() / "amtool")
    checked = [amtool, "check-config", str(tmp_path / "alertmanager.yaml")]
    done = subprocess.run(checked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    route = yaml.safe_load(config())["route"]["routes"]
    # Of the whole environment, not only of the namespace that says so.
    assert [one.get("matchers", []) for one in route] == [[]]
