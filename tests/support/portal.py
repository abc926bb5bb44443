"""A home in which a rollout runs, an alert fires and rows wait: what the pages about this moment are tested on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mlstrata.audit import AuditLog, Entry
from mlstrata.environments.spec.rollout import Strategy
from mlstrata.services.monitor.verdict import Bar, Finding, Verdict, Watch, folder
from mlstrata.services.recording.record import Instance, Record
from mlstrata.services.recording.sqlite import open_store
from mlstrata.services.recording.store import Feedback
from mlstrata.services.retraining.dataset import JOURNAL
from mlstrata.services.retraining.journal import Journal
from mlstrata.services.rollout.decide import decide
from mlstrata.services.rollout.evidence import Evidence, Mean, Seen
from mlstrata.services.rollout.plan import Plan
from mlstrata.services.rollout.standing import Standing
from mlstrata.services.serving.releases import Releases
from mlstrata.services.serving.running import Running
from tests.support.catalog import REQUEST, SYSTEM

NOW = datetime.now(UTC)
WAITS, LABELLED = "wait-0001", "labelled-0001"
GROUP, ORIGIN = "single", "afam"
"""Protected attributes of the system: no page may show what a person has there."""


def record(name: str, probability: float = 0.31, **more: object) -> Record:
    given = Instance(
        inputs={"pirat": 0.41, "lvrat": 0.83, "unemp": 3.2, "selfemp": "no", GROUP: "hidden-single"},
        output={"probability": probability, "label": int(probability > 0.5)},
        explanation={"pirat": 0.12, "lvrat": 0.21, "unemp": -0.05, ORIGIN: 0.5},
        flags=("range:pirat",),
    )
    at = NOW.timestamp() - 600
    fields = {"id": name, "at": at, "system": SYSTEM, "version": "1", "status": 200, "ms": 12.5, "instances": (given,)}
    return Record.model_validate({**fields, "consumer": "underwriter-desk", **more})


def recorded(home: Path) -> None:
    """Predictions: one traced in the gateway's log, one labelled, three that wait for a review."""
    store = open_store(home, shares={SYSTEM: 0.0})
    waiting = []
    for number in range(3):
        one = record(f"wait-{number + 1:04}")
        row = one.instances[0].model_copy(update={"source": "human_review", "output": None})
        waiting.append(one.model_copy(update={"instances": (row,)}))
    store.add([record(REQUEST, 0.72), record(LABELLED), *waiting])
    store.tell([Feedback(id=LABELLED, at=NOW.timestamp(), truth="yes", reviewer="ada", groups={ORIGIN: "secret"})])
    store.close()


def finding(watch: Watch, of: str, value: float, limit: float | None = None, **more: object) -> Finding:
    fields = {"watch": watch, "of": of, "value": value, "limit": limit, "rows": 900, "alert": False, "sure": "p = 0.2"}
    return Finding.model_validate({**fields, **more})


def verdict(**changes: object) -> Verdict:
    since = NOW.timestamp() - 1800
    found = (
        finding(Watch.INPUT_DRIFT, "pirat", 0.61, 0.2, alert=True, sure="p = 1e-30 (below 1e-07 counts)", since=since),
        finding(Watch.INPUT_DRIFT, "lvrat", 0.04, 0.2),
        finding(Watch.INPUT_DRIFT, "unemp", 0.02, 0.2),
        finding(Watch.OUTPUT_DRIFT, "probability", 0.11, 0.2),
        finding(Watch.PERFORMANCE, "auc", 0.79, 0.75, low=0.74, high=0.84, rows=412),
        finding(Watch.ESTIMATE, "auc", 0.78, 0.75),
        finding(Watch.FAIRNESS, ORIGIN, 0.09, 0.15, low=0.03, high=0.17),
        finding(Watch.FAIRNESS, GROUP, 0.04, 0.15, low=0.01, high=0.09),
        finding(Watch.SERVICE, "p99", 0.21, 0.5),
        finding(Watch.QUALITY, "pirat: missing", 0.01, 0.06),
    )
    bars = (Bar(column="pirat", bins=("up to 0.3", "above"), trained=(0.5, 0.5), seen=(0.2, 0.8)),)
    fields = {"system": SYSTEM, "version": "1", "state": "judged", "at": NOW.timestamp() - 8, "window": 86400.0}
    more = {"rows": 912, "needed": 500, "truths": 412, "findings": found, "bars": bars}
    return Verdict.model_validate({**fields, **more, **changes})


def told(home: Path) -> None:
    """The monitor's verdict, an alert that fires with one that is over, and the audit log."""
    place = folder(home, SYSTEM)
    place.mkdir(parents=True)
    (place / "verdict.json").write_text(verdict().model_dump_json())
    since = (NOW - timedelta(minutes=30)).isoformat()
    drift = {"alertname": "InputDrift", "system": SYSTEM, "severity": "warning", "cause": "input_drift"}
    down = {"alertname": "ServiceDown", "service": "runner", "severity": "critical", "system": "platform"}
    entries = [
        ("firing", drift, "pirat has drifted: PSI 0.61, limit 0.2"),
        ("firing", down, "runner does not answer"),
        ("resolved", down, "runner does not answer"),
    ]
    lines = [
        {"received": NOW.isoformat(), "status": status, "labels": labels, "annotations": {"summary": summary}}
        | {"startsAt": since, "endsAt": since, "fingerprint": labels["alertname"]}
        for status, labels, summary in entries
    ]
    (home / "logs/alerts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + "{cut sho")
    log = AuditLog(home / "data/audit/audit.jsonl")
    entry = {"who": "ada", "system": SYSTEM, "version_from": None, "version_to": "1", "outcome": "done"}
    for number, (action, reason) in enumerate((("release", "first one"), ("rollout-begin", "retraining after drift"))):
        when = NOW - timedelta(days=2 - number)
        log.append(Entry.model_validate({**entry, "id": str(number), "when": when, "action": action, "reason": reason}))


def learnt(home: Path) -> None:
    """The journal of a learning process that had a rollout begun."""
    journal = Journal(home / JOURNAL)
    journal.decide(SYSTEM, "waits", "InputDrift: 120 of 200 labelled rows", NOW.timestamp() - 3000)
    journal.decide(SYSTEM, "rolling", "version 2: canary, step 1; 240 more requests are needed", NOW.timestamp() - 60)
    journal.close()


def standing(running: Running) -> Standing:
    """How a canary stands after some hundreds of requests."""
    ours = Seen(requests=260, errors=2, slow=3, rows=260, fallbacks=4, value=Mean(180, 150.0, 150.0))
    theirs = Seen(requests=2400, errors=9, slow=14, rows=2400, fallbacks=31, value=Mean(1500, 1230.0, 1230.0))
    plan = Plan(
        strategy=Strategy.CANARY,
        shares=(10, 50),
        min_sample=500,
        step_time=600.0,
        approve="",
        slowest=500.0,
        errors=0.01,
        gap=None,
        exploration=0.1,
        step=0,
        share=10,
        since=running.since.timestamp(),
        approved_by="",
    )
    evidence, at = Evidence(theirs, ours), NOW.timestamp() - 2
    return Standing.of("1", running, plan, decide(plan, evidence, at), evidence=evidence, now=at)


def busy(home: Path) -> None:
    """Everything of it, over what `tests.support.catalog.lived_in` made."""
    recorded(home)
    told(home)
    learnt(home)
    rollout = Running(
        strategy="canary",
        candidate="2",
        share=10,
        begun=NOW - timedelta(minutes=20),
        since=NOW - timedelta(minutes=20),
        who="learning process",
        why="retraining after drift of pirat",
        metrics={"auc": 0.81},
    )
    releases = Releases(champion="1", challenger="2", loaded=("1", "2"), rollout=rollout)
    (home / f"data/serving/{SYSTEM}/releases.json").write_text(releases.to_json())
    standing(rollout).leave(home, SYSTEM)
    programs = home / "config/supervisor.d"
    programs.mkdir(parents=True)
    for name in ("catalog", "gateway", "mlflow", "runner"):
        (programs / f"{name}.conf").write_text("")
