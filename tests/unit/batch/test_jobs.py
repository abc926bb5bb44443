"""What a job scores follows from the environment's file: the named dataset, else what the model is trained on."""

from pathlib import Path

import pytest

from mlstrata.environments import SystemSpec
from mlstrata.services.batch.jobs import NotScorable, scoring_job
from mlstrata.services.runner.requests import training_request

GERMAN = {"delimiter": ";", "decimal": ",", "missing": ["k.A."]}


def system(*data, **more):
    return SystemSpec.model_validate(
        {
            "name": "late",
            "purpose": "Say who pays late.",
            "risk": {"tier": "minimal", "practice": "none", "contact": False},
            "model": {"modality": "tabular", "target": "late", "exclude": ["id"], **more},
            "data": data,
        }
    )


ROWS = {"name": "rows", "source": "data/rows.csv", "format": GERMAN}
OTHERS = {"name": "others", "source": "data/others.parquet"}


def job(of, given=None):
    return scoring_job(of, root=Path("/w"), home=Path("/h"), given=given)


def test_the_only_dataset_is_scored_where_none_is_named():
    assert job(system(ROWS)).input == "/w/data/rows.csv"
    assert job(system(ROWS, OTHERS, data="others")).input == "/w/data/others.parquet"
    with pytest.raises(NotScorable, match="names no dataset to score; name one"):
        job(system(ROWS, OTHERS))


def test_rows_are_read_as_their_dataset_says_and_a_file_as_what_the_model_learnt_of():
    both = system(ROWS, OTHERS, data="rows")
    assert job(both).format == GERMAN
    assert job(both, "others").format == {}
    assert job(both, "new.csv").format == GERMAN


def test_training_reads_the_same_way():
    request = training_request("dev", system(ROWS), root=Path("/w"), home=Path("/h"), tracking_uri="http://x")
    assert request.format == GERMAN
    assert request.recipe()["format"] == GERMAN
    plain = training_request("dev", system(OTHERS), root=Path("/w"), home=Path("/h"), tracking_uri="http://x")
    assert "format" not in plain.recipe(), "a model of before is still the same one"
