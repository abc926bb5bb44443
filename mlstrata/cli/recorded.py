"""`mlstrata predictions`, `feedback` and `queue`: what was predicted, and what became known of it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.cli.console import confirm, say, say_json
from mlstrata.cli.periods import period
from mlstrata.operations import recorded
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata.operations.recorded import Known

_SHOWN_PARTS = 5


def predictions(name: str, system: str, *, request: str, since: str, limit: int, target: str, as_json: bool) -> None:
    """Show one request's prediction, the newest ones, or write all of a time to a Parquet file."""
    deployment, until = Deployment.open(name), datetime.now(UTC)
    begin = until - period(since)
    if request and target:
        raise UsageError("--id, --export: got both; a file holds all of a time")
    if request:
        found = recorded.prediction(deployment, system, request)
        if as_json:
            say_json({"environment": name, "system": system, **found})
            return
        _explain(found)
        return
    if target:
        path = Path(target).absolute()
        rows = recorded.export(deployment, system, path, since=begin, until=until)
        if as_json:
            say_json({"environment": name, "system": system, "rows": rows, "file": str(path)})
            return
        say(f" {rows} rows of the last {since} in {path}")
        return
    known = recorded.predictions(deployment, system, since=begin, until=until, limit=limit)
    if as_json:
        say_json({"environment": name, "system": system, "predictions": [*map(_document, known)]})
        return
    for one in known:
        truth = f"  truth {one.feedback.truth}" if one.feedback and one.feedback.truth is not None else ""
        record = one.record
        say(f" {_when(record.at)}  {record.id}:{one.instance}  v{record.version}  {_pairs(one.output)}{truth}")
    say(f" {len(known)} rows of the last {since}" + ("; more with --limit" if len(known) == limit else ""))


def feedback(name: str, system: str, file: str, *, as_json: bool) -> None:
    """Tell the recorder what became known of predictions."""
    from mlstrata.operations.feedback_file import read

    done = recorded.tell(Deployment.open(name), system, read(file))
    if as_json:
        say_json({"environment": name, "system": system, **asdict(done)})
        return
    say(f" {done.lines} lines told, {done.changed} rows changed")


def queue(name: str, system: str, kind: str, *, limit: int, as_json: bool) -> None:
    """Show the rows that wait for a person."""
    found = recorded.waiting(Deployment.open(name), system, kind, limit)
    if as_json:
        say_json({"environment": name, "system": system, "queue": kind, **found})
        return
    for row in found["rows"]:
        flags = f"  {' '.join(row['flags'])}" if row["flags"] else ""
        say(f" {_when(row['at'])}  {row['id']}:{row['instance']}  v{row['version']}  {_pairs(row['output'])}{flags}")
        say(f"   {_pairs(row['inputs'])}")
    say(f" {found['waiting']} rows wait for {'review' if kind == 'review' else 'a label'}")


def decide(name: str, system: str, kind: str, decision: dict[str, Any], *, as_json: bool) -> None:
    """Tell what a person decided of a row."""
    changed = recorded.decide(Deployment.open(name), system, kind, decision)
    if as_json:
        say_json({"environment": name, "system": system, "queue": kind, "changed": changed})
        return
    say(f" {decision['id']}:{decision['instance']}: {decision['truth']}, by {decision['reviewer']}")


def erase_person(name: str, system: str, subject: str, *, reason: str, yes: bool, as_json: bool) -> None:
    """Erase what is recorded of a person, and say what the law holds and until when."""
    confirm(yes, f"Erase what {system} recorded of this person, for good?", as_json)
    done = recorded.erase_person(Deployment.open(name), system, subject, reason)
    until = datetime.fromtimestamp(done.until, UTC) if done.until is not None else None
    if as_json:
        say_json({"environment": name, **asdict(done), "until": until.isoformat() if until else None})
        return
    say(f" {system}: {done.erased} records erased · entry {done.record} of the audit log")
    if until:
        say(f" held: {done.held} records, until {until:%Y-%m-%d}: logs of a high-risk system are kept six months")
        say("   (AI Act Art. 19(1), 26(6); GDPR Art. 17(3)(b)); used for nothing else, and erased then without asking")
    for warning in done.warnings:
        say(f"  {warning}")
    say(" copies that `mlstrata backup` made hold them still, until you delete those")


def _explain(found: dict[str, Any]) -> None:
    for record in found["records"]:
        given = "a shadow, given to nobody" if record["shadow"] else f"status {record['status']}"
        asked = f", for {record['consumer']}" if record["consumer"] else ""
        say(f" {_when(record['at'])}  version {record['version']}{asked}: {given} in {record['ms']:.0f} ms")
        for number, row in enumerate(record["instances"]):
            say(
                f"   row {number}: {_pairs(row['output'])}"
                + ("" if row["source"] == "model" else f", by {row['source']}")
            )
            say(f"     from {_pairs(row['inputs'])}")
            if row["explanation"]:
                parts = sorted(row["explanation"].items(), key=lambda part: -abs(part[1]))[:_SHOWN_PARTS]
                say(f"     because {', '.join(f'{column} {value:+.3g}' for column, value in parts)}")
            if row["flags"]:
                say(f"     noticed {', '.join(row['flags'])}")
    for one in found["feedback"]:
        by = f", by {one['reviewer']}" if one["reviewer"] else ""
        reward = "" if one["reward"] is None else f", reward {one['reward']:g}"
        say(f"   {_when(one['at'])}  row {one['instance']}: truth {one['truth']}{reward}{by}")


def _document(one: Known) -> dict[str, Any]:
    about = one.record.model_dump(mode="json", exclude={"instances"})
    known = {name: value for name, value in asdict(one.feedback).items() if name != "groups"} if one.feedback else None
    row = one.record.instances[one.instance].model_dump(mode="json")
    return {**about, "instance": one.instance, **row, "feedback": known}


def _pairs(values: Any) -> str:
    return " ".join(f"{name}={value}" for name, value in (values or {}).items()) or "no answer"


def _when(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
