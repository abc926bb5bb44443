"""`mlstrata data profile` proposes a declaration that the environment's file takes, and reads the file by it."""

import json

import pytest
import yaml

from mlstrata.cli.main import main
from mlstrata.environments.spec.data import DatasetSpec
from mlstrata_steps.cells import Format
from mlstrata_steps.source import read_source
from mlstrata_steps.tables import kind_of


@pytest.fixture
def german(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    (tmp_path / "environments").mkdir()
    (tmp_path / "data").mkdir()
    rows = [
        f"user{at}@mail.example;{at % 70 + 18};1.{at % 900 + 100},50;{at % 28 + 1:02d}.09.2025;0{at % 90 + 1000};Köln"
        for at in range(300)
    ]
    rows = [f"{row};{at % 2}" for at, row in enumerate(rows)]
    text = "\n".join(["mail;alter;saldo;seit;plz;ort;gekündigt", *rows])
    (tmp_path / "data/Kunden 2025.csv").write_text(text, encoding="windows-1252")
    return "data/Kunden 2025.csv"


def test_a_file_of_another_notation_is_declared_so_that_it_is_read(german, capsys):
    assert main(["data", "profile", german, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    wanted = {"delimiter": ";", "decimal": ",", "thousands": ".", "encoding": "windows-1252", "dates": "%d.%m.%Y"}
    assert found["format"] == wanted
    declared = yaml.safe_load(found["yaml"])
    (dataset,) = declared["data"]
    spec = DatasetSpec.model_validate(dataset)
    assert (spec.name, spec.source, spec.written()) == ("kunden-2025", german, wanted)
    assert spec.personal == ("mail",)
    assert declared["model"]["target"] == "gekündigt"
    assert set(declared["model"]["exclude"]) == {"mail", "seit", "ort"}
    table = read_source(german, Format.parse(spec.written()))
    assert [kind_of(table[name]) for name in table] == [
        *("string", "integer", "number", "date"),
        *("string", "string", "integer"),
    ]


def test_a_plain_file_needs_no_format(german, tmp_path, capsys):
    (tmp_path / "plain.csv").write_text("a,b,NO\n1,x,yes\n2.5,y,no\n3,x,yes\n")
    assert main(["data", "profile", "plain.csv"]) == 0
    shown = capsys.readouterr().out
    assert "format:" not in shown
    assert 'target: "NO"   # or b' in shown


def test_what_has_no_two_values_may_be_classes_or_a_number(german, tmp_path, capsys):
    rows = "".join(f"{at}.5,{'abc'[at % 3]}\n" for at in range(300))
    (tmp_path / "kinds.csv").write_text(f"price,kind\n{rows}")
    assert main(["data", "profile", "kinds.csv"]) == 0
    shown = capsys.readouterr().out
    assert "# of several classes: [kind]" in shown
    assert "# a number, with task: regression: [price]" in shown


def test_what_cannot_be_read_is_one_line(german, tmp_path, capsys):
    (tmp_path / "bad.csv").write_text("a,b\n1,2,3\n4\n")
    assert main(["data", "profile", "bad.csv"]) == 2
    assert "line 2 has 3 fields, the header 2" in capsys.readouterr().err
    assert main(["data", "profile", "none.csv"]) == 2
    assert "there is no file 'none.csv'" in capsys.readouterr().err
