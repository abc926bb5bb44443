"""What is generated from the models is up to date, and the models are as our rules want them."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.__main__ import main
from mlstrata.environments.loading.shape import every_field

ROOT = Path(__file__).parents[3]
FIELDS = [(".".join(path), model, field) for path, model, field in every_field(EnvironmentSpec)]


@pytest.mark.parametrize("name", ["schema", "docs"])
def test_it_is_up_to_date(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--check"]) == 0, capsys.readouterr().err


def test_other_words_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shcema"]) == 2
    assert "got shcema; allowed: python -m mlstrata.environments schema|docs [--check]" in capsys.readouterr().err


def test_a_stale_file_is_told_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mlstrata.environments.schema.FILE", tmp_path / "schema.json")
    (tmp_path / "schema.json").write_text("{}")
    assert main(["schema", "--check"]) == 1
    assert "is not up to date; run: python -m mlstrata.environments schema" in capsys.readouterr().err
    assert main(["schema"]) == 0
    assert main(["schema", "--check"]) == 0


@pytest.mark.parametrize(("path", "model", "field"), FIELDS, ids=[case[0] for case in FIELDS])
def test_every_field_is_described(path: str, model: type, field: object) -> None:
    description = field.info.description
    assert description, path
    assert description.endswith("."), path
    assert model.__doc__, model


def test_every_model_is_closed_and_frozen() -> None:
    for _, model, _ in FIELDS:
        assert model.model_config["extra"] == "forbid"
        assert model.model_config["frozen"] is True
    spec = EnvironmentSpec.model_validate({"name": "prod", "target": {"kind": "local"}, "stage": "scale"})
    with pytest.raises(ValidationError):
        spec.name = "dev"


def test_the_room_is_pure_and_cheap_to_enter() -> None:
    """The prompt waits for this import: no cloud, no Pulumi, no data frames, no network come with it."""
    code = "import sys, mlstrata.environments; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    heavy = {"pulumi", "pulumi_aws", "pulumi_kubernetes", "mlflow", "pandas", "numpy", "httpx", "rich", "typer", "grpc"}
    assert not heavy & set(run.stdout.split())
