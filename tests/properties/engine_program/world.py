"""A provider whose things are files in a folder: strict about order, able to fail or die at any point."""

import contextlib
import json
import os
import signal
import threading
from pathlib import Path

from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

lock = threading.Lock()


def folder() -> Path:
    return Path(os.environ["WORLD"])


def things() -> dict[str, dict]:
    found = {}
    for path in folder().glob("*.thing"):
        with contextlib.suppress(FileNotFoundError):
            found[path.stem] = json.loads(path.read_text())
    return found


def complain(text: str) -> None:
    with lock, (folder() / "complaints").open("a") as file:
        file.write(f"{text}\n")


def moment(point: str) -> None:
    """Every point where a run can be cut: counted, and the chosen one fails or kills the process."""
    with lock, (folder() / "moments").open("a+b") as file:
        file.write(b"x")
        number = file.tell()
    if os.environ.get("KILL_AT") == str(number):
        os.kill(os.getpid(), signal.SIGKILL)
    if point.startswith("before") and os.environ.get("FAIL_AT") == str(number):
        raise RuntimeError(f"refused at {point}")


def write(id_: str, props: dict) -> dict:
    path = folder() / f"{id_}.thing"
    temporary = path.with_suffix(f".{threading.get_ident()}.part")
    kept = {key: props[key] for key in ("name", "depth", "kind", "label", "needs", "token")}
    temporary.write_text(json.dumps(kept))
    temporary.replace(path)
    return {**props, "address": id_, "grown": f"grown-{props['token']}"}


class ItemProvider(ResourceProvider):
    serialize_as_secret_always = False

    def check(self, _olds, news):
        return CheckResult(news, [])

    def diff(self, _id, olds, news):
        changed = [
            key for key in ("name", "depth", "kind", "label", "needs", "token") if olds.get(key) != news.get(key)
        ]
        identity = [key for key in changed if key in ("name", "depth", "kind")]
        return DiffResult(changes=bool(changed), replaces=identity, delete_before_replace=None, stables=[])

    def create(self, props):
        id_ = f"{props['name']}{int(props['depth'])}-{props['kind']}"
        moment(f"before create {id_}")
        missing = [need for need in props["needs"] if need not in things()]
        if missing and not os.environ.get("LENIENT"):
            complain(f"{id_} was created before {missing}")
        outs = write(id_, props)
        moment(f"after create {id_}")
        return CreateResult(id_, outs)

    def read(self, id_, props):
        found = things().get(id_)
        return ReadResult(id_, {**props, **found}) if found else ReadResult("", {})

    def update(self, id_, _olds, news):
        moment(f"before update {id_}")
        outs = write(id_, news)
        moment(f"after update {id_}")
        return UpdateResult(outs)

    def delete(self, id_, _props):
        moment(f"before delete {id_}")
        if not os.environ.get("LENIENT"):
            users = [other for other, thing in things().items() if id_ in thing["needs"]]
            if users:
                complain(f"{id_} was deleted before {users}")
        (folder() / f"{id_}.thing").unlink(missing_ok=True)
        moment(f"after delete {id_}")
