"""`mlstrata backup` and `restore`: a local environment's data into a store of copies, and back."""

from __future__ import annotations

from mlstrata.cli.console import confirm, say, say_json
from mlstrata.cli.reporter import Terminal
from mlstrata.operations.backup import local
from mlstrata.operations.deployment import Deployment


def backup(name: str, *, to: str, keep: int, as_json: bool) -> None:
    """Copy what cannot be made again, and say what was copied where."""
    done = local.backup(Deployment.open(name), to, Terminal(quiet=as_json), keep=keep)
    files = len(done.manifest.files)
    if as_json:
        say_json({"environment": name, "to": done.place, **done.said, "files": files, "size": done.size})
        return
    say(f" {name}: {files} files, {done.size / 2**20:.1f} MiB, are copy {done.said['copy']} at {done.place}")
    if outside := done.manifest.outside:
        say(f" the artifacts are not in it: they lie in {outside}, whose versions and copies are its owner's")
    if done.said["unfinished"]:
        say(f" never finished, removed: {', '.join(done.said['unfinished'])}")
    if done.said["removed"]:
        say(f" removed: {', '.join(done.said['removed'])}")


def restore(name: str, *, of: str, copy: str, yes: bool, as_json: bool) -> None:
    """Put a copy's data where the next `up` finds them, once that is confirmed."""
    done = local.restore(
        Deployment.open(name),
        of,
        Terminal(quiet=as_json),
        copy=copy,
        agree=lambda manifest: confirm(
            yes, f"Replace what {name} holds by the copy of {manifest.taken:%Y-%m-%d %H:%M} UTC?", as_json
        ),
    )
    manifest, files = done.manifest, len(done.manifest.files)
    if as_json:
        say_json({"environment": name, "from": done.place, **done.said, "files": files, "taken": manifest.taken})
        return
    versions = ", ".join(f"{system} {number}" for system, number in sorted(manifest.released.items()))
    say(f" {name}: {files} files of {manifest.taken:%Y-%m-%d %H:%M} UTC are back, each as it was copied")
    say(f" released: {versions or 'nothing'} · issue new tokens · now `mlstrata up {name}`")
