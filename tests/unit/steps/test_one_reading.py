"""Training, batch scoring and a request read a cell alike: the very file that a model learnt of is scored as it was."""

import csv
import datetime as dt
import decimal
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlstrata.services.batch.scoring import score
from mlstrata.services.batch.settings import ScoringJob
from mlstrata.services.serving.model import LoadedModel
from mlstrata_steps.cells import Format
from mlstrata_steps.columns import feature_frame
from mlstrata_steps.estimator import load
from mlstrata_steps.ingest import ingest
from mlstrata_steps.package import package
from mlstrata_steps.signature import signature
from mlstrata_steps.source import read_source
from mlstrata_steps.tables import read_table
from mlstrata_steps.tasks.output import Probability
from mlstrata_steps.train import train

COLUMNS = {"target": "late", "positive": "yes", "exclude": ["opened"]}
ROWS = 240
GERMAN = {"delimiter": ";", "decimal": ",", "encoding": "windows-1252", "dates": "%d.%m.%Y %H:%M", "missing": ["k.A."]}


def rows():
    """Every kind of column, with and without gaps, and what tools tend to confuse."""
    random = np.random.default_rng(0)
    late = random.random(ROWS) < 0.4

    def some(values, gaps=0.0):
        chosen = [values[at] for at in (random.integers(0, len(values), ROWS) + late) % len(values)]
        return [None if random.random() < gaps else one for one in chosen]

    columns = {
        "income": (random.normal(size=ROWS) + late).tolist(),
        "rate": [float(str(one)) for one in (random.normal(size=ROWS) + late).astype("float32")],
        "amount": [decimal.Decimal(f"{one:.2f}") for one in random.random(ROWS)],
        "count": some([1, 2, 3]),
        "gaps": some([1, 2, 3], 0.2),
        "member": some([True, False], 0.2),
        "flag": some([True, False]),
        "country": some(["NA", "DE", "None", "null"]),
        "town": some(["Köln", " Bonn", "n/a"], 0.2),
        "postcode": some(["01067", "80331", "00501"]),
        "bytes": some(["a", "ä"]),
        "clock": some([dt.time(8), dt.time(9, 30)]),
        "opened": [dt.datetime(2025, 1, 1) + dt.timedelta(hours=at) for at in range(ROWS)],
        "late": ["yes" if one else "no" for one in late],
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def frame(made):
    return pd.DataFrame({name: pd.Series([row[name] for row in made], dtype=object) for name in made[0]})


def german(cell):
    if isinstance(cell, dt.datetime):
        return cell.strftime("%d.%m.%Y %H:%M")
    return str(cell).replace(".", ",") if isinstance(cell, float | decimal.Decimal) else cell


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same table in four files, each with its format."""
    folder, made = tmp_path_factory.mktemp("files"), rows()
    types = {"rate": pa.float32(), "gaps": pa.int16(), "amount": pa.decimal128(10, 2), "bytes": pa.binary()}
    arrays = {
        name: pa.array([row[name].encode() if name == "bytes" else row[name] for row in made], types.get(name))
        for name in made[0]
    }
    pq.write_table(pa.table(arrays), folder / "t.parquet")
    frame(made).to_csv(folder / "t.csv", index=False)
    lines = [json.dumps(row | {"amount": float(row["amount"])}, default=str) for row in made]
    (folder / "t.jsonl").write_text("\n".join(lines), encoding="utf-8")
    other = frame([{name: german(one) for name, one in row.items()} for row in made])
    other.to_csv(folder / "de.csv", index=False, sep=";", encoding="windows-1252", na_rep="k.A.")
    return {
        str(folder / name): GERMAN if name == "de.csv" else {} for name in ("t.parquet", "t.csv", "t.jsonl", "de.csv")
    }


@pytest.fixture(scope="module", params=[0, 1, 3], ids=["parquet", "csv", "german csv"])
def made(files, request, tmp_path_factory):
    """A model of one of the files."""
    file, form = list(files.items())[request.param]
    home = tmp_path_factory.mktemp("made")
    found = ingest(file, str(home), form)
    trained = train(found.path, str(home / "m.skops"), COLUMNS)
    told = {"missing": form.get("missing", [])}
    package(str(home / "m.skops"), found.path, str(home / "models" / "1"), COLUMNS, metadata=told)
    return home, trained, found


def test_all_files_are_one_table(files, tmp_path):
    assert len({ingest(file, str(tmp_path), form).data_version for file, form in files.items()}) == 1


def test_the_signature_names_what_a_caller_sends(made):
    _, trained, found = made
    inputs = signature(feature_frame(read_table(found.path), trained.features), Probability()).inputs.to_dict()
    assert {one["name"]: (one["type"], one["required"]) for one in inputs} == {
        "income": ("double", True),
        "rate": ("double", True),
        "amount": ("double", True),
        "count": ("long", True),
        "gaps": ("double", False),
        "member": ("boolean", False),
        "flag": ("boolean", True),
        "country": ("string", True),
        "town": ("string", False),
        "postcode": ("string", True),
        "bytes": ("string", True),
        "clock": ("string", True),
    }


def expected(home, trained, file, form):
    features = feature_frame(read_source(file, Format.parse(form)), trained.features)
    return load(str(home / "m.skops")).predict_proba(features)[:, 1].tolist()


def test_every_file_is_scored_as_training_saw_it(made, files, tmp_path):
    home, trained, _ = made
    for at, (file, form) in enumerate(files.items()):
        output = tmp_path / f"{at}.csv"
        job = ScoringJob(system="late", directory=home, workdir=tmp_path, input=file, output=output, version="1")
        done, _ = score(job.model_copy(update={"format": form}))
        assert (done.scored, done.refused) == (ROWS, 0), done.reasons
        with output.open(newline="") as opened:
            given = [float(row["probability"]) for row in csv.DictReader(opened)]
        np.testing.assert_allclose(given, expected(home, trained, file, form), rtol=0, atol=1e-12)


def test_a_request_of_a_row_is_answered_with_its_score(made, files):
    home, trained, _ = made
    file = next(one for one in files if one.endswith(".jsonl"))
    asked = [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]
    model = LoadedModel("1", home / "models" / "1")
    body = {"instances": [{name: row[name] for name in trained.features} for row in asked]}
    given = model.predict(model.schema.parse(json.dumps(body).encode()))
    np.testing.assert_allclose(given, expected(home, trained, file, {}), rtol=0, atol=1e-12)
