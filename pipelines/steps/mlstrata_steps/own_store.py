"""How a model of somebody's own training function is kept: in skops' format where that holds it, else as a pickle.

A pickle runs code when it is read. It is written only for a function of the workspace, whose code runs here anyway, and
read only where that code is, under a hash that stands before it.
"""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

from mlstrata_steps.outcome import StepError
from mlstrata_steps.own import OwnModel, function, is_own, own_module

MAGIC = b"mlstrata-pickle "


def save(model: OwnModel, path: str) -> None:
    """Write a model.

    Raises:
        StepError: No format holds it.
    """
    import skops.io

    from mlstrata_steps.estimator import load

    try:
        skops.io.dump(model, path)
        found = load(path)
        if isinstance(found, OwnModel) and model.same(found):
            return
    except Exception:  # noqa: BLE001, S110 - whatever it meets, skops cannot hold this model
        pass
    try:
        content = pickle.dumps(model)
        same = model.same(pickle.loads(content))  # noqa: S301 - written a line above
    except Exception as error:
        made = f"{type(model.model).__name__} of {model.reference}"
        fix = "define what it is made of at the top of a module"
        raise StepError(f"model.train: {made} cannot be stored: {error}; {fix}") from error
    if not same:
        raise StepError(f"model.train: {model.reference}: what is stored answers otherwise than what was trained")
    head = f"{hashlib.sha256(content).hexdigest()} {model.reference}\n".encode()
    Path(path).write_bytes(MAGIC + head + content)


def load_pickle(path: str) -> OwnModel:
    """Read a model that `save` wrote as a pickle.

    Raises:
        StepError: It is not what was written, or its function's code is not here.
    """
    head, _, content = Path(path).read_bytes().partition(b"\n")
    digest, reference = head.removeprefix(MAGIC).decode().split(" ", 1)
    if hashlib.sha256(content).hexdigest() != digest:
        raise StepError(f"the model {path!r} is not the one that was written: its hash differs")
    function(reference)
    found = pickle.loads(content)  # noqa: S301 - of the workspace's own code, by its hash
    if not isinstance(found, OwnModel):
        raise StepError(f"the model {path!r} holds {type(found).__name__}; a training function's was expected")
    return found


def is_pickle(path: str) -> bool:
    """Whether a model is kept as a pickle."""
    with Path(path).open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def is_of_own(kind: str) -> bool:
    """Whether a type is a class or function of the workspace's packages, or what holds a training function's model."""
    where, _, name = kind.rpartition(".")
    if kind == f"{OwnModel.__module__}.{OwnModel.__qualname__}":
        return True
    try:
        found = own_module(where)
    except StepError:
        return False
    return is_own(found) and callable(getattr(found, name, None))
