"""`mlstrata migrate`: moves all artifacts to the storage that the file now asks for."""

from __future__ import annotations

from mlstrata.cli.console import confirm, say, say_json
from mlstrata.cli.reporter import Terminal
from mlstrata.operations import migration
from mlstrata.operations.deployment import Deployment


def migrate(name: str, *, yes: bool, keep_old: bool, as_json: bool) -> None:
    """Move the artifacts once that is confirmed, and say what was moved where."""
    deployment = Deployment.open(name)
    done = migration.migrate(
        deployment,
        Terminal(quiet=as_json),
        keep_old=keep_old,
        agree=lambda moving: confirm(
            yes,
            f"Move the artifacts of {name} from {migration.shown(moving.source)} to {migration.shown(moving.target)}?",
            as_json,
        ),
    )
    where = migration.shown(deployment.spec.storage)
    if as_json:
        say_json({"environment": name, "storage": deployment.spec.storage.model_dump(mode="json"), **done})
    elif not done["changed"]:
        say(f" {name}: its artifacts are in {where} already")
    elif done.get("gone_back"):
        say(f" {name}: resumed {where}; copies are left in {done['left_in_target']}")
    else:
        what = f"{done['artifacts']} artifacts, {done['size'] / 2**20:.1f} MiB, " if "artifacts" in done else ""
        say(f" {name}: {what}each read back and the same, are in {where} now")
