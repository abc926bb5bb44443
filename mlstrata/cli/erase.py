"""`mlstrata erase`: what a removed system left behind, erased."""

from __future__ import annotations

from dataclasses import asdict

from mlstrata.cli.console import confirm, say, say_json
from mlstrata.cli.reporter import Terminal
from mlstrata.environments.spec.storage import S3Storage
from mlstrata.operations import erasure
from mlstrata.operations.deployment import Deployment


def erase(name: str, system: str, *, reason: str, yes: bool, as_json: bool) -> None:
    """Erase the data of a system that the environment declares no more, and say what that was."""
    deployment = Deployment.open(name)
    done = erasure.erase(
        deployment,
        system,
        reason,
        Terminal(quiet=as_json),
        agree=lambda: confirm(yes, f"Erase all data, runs and versions of {system}, for good?", as_json),
    )
    if as_json:
        say_json({"environment": name, **asdict(done)})
        return
    what = f"{done.versions} versions, {done.runs} runs and {done.bytes / 2**20:.1f} MiB of files erased"
    say(f" {system}: {what} · entry {done.record} of the audit log")
    if done.kept and done.kept_until:
        say(f" kept until {done.kept_until:%Y-%m-%d} (retention.documents): gates and figures of what was released, in")
        say(f"   {done.kept}")
    if done.recorded or done.held:
        say(f" recorded predictions: {done.recorded} erased, {done.held} held")
    if done.held_until:
        say(f"   held by law until {done.held_until:%Y-%m-%d} (AI Act Art. 19(1), 26(6); GDPR Art. 17(3)(b)); used for")
        say("   nothing else, and erased then by the recorder without asking")
    logs = deployment.spec.retention.logs.days
    say(f" kept: decisions in the audit log; who asked when in the gateway's log, for {logs} days (retention.logs)")
    say(" copies that `mlstrata backup` made hold them still, until you delete those")
    storage = deployment.spec.storage
    if isinstance(storage, S3Storage) and storage.versioning:
        say(" the bucket keeps deleted objects as old versions: remove those too, or wait for its lifecycle rule")
