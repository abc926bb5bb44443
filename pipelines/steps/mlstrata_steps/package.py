"""A step after the gates: the model as it will be served, one folder that holds all it needs.

The folder is MLflow's: the fitted pipeline, its signature, an input example, the code that makes a model's features out
of raw columns, that of a workspace's own learner, and two lists of requirements: MLflow's own, and the part of the
environment's lock that serving needs, with the hash of every file.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.converted.form import FILE, REASON
from mlstrata_steps.converted.form import METADATA as ONNX
from mlstrata_steps.converted.proof import proven
from mlstrata_steps.converted.write import convert
from mlstrata_steps.estimator import load, own_code, served_with, trusted
from mlstrata_steps.foreign.model import LOADER, OnnxModel
from mlstrata_steps.outcome import StepError
from mlstrata_steps.own_store import is_pickle
from mlstrata_steps.pictures import characters
from mlstrata_steps.reference import FILE as REFERENCE
from mlstrata_steps.reference import reference_of
from mlstrata_steps.tables import read_table
from mlstrata_steps.tasks import Several, asked_of
from mlstrata_steps.tasks.base import CLASSIFIER
from mlstrata_steps.tasks.output import METADATA

if TYPE_CHECKING:
    import pandas as pd

OWN_PART = "# of the system's own lock"
"""Line of a lock after which only what the system's own requirements add is named."""

LOCKED = "locked-requirements.txt"
EXAMPLE_ROWS = 3
REQUIREMENTS = "requirements"
"""What a model's metadata call the distributions of its system's own lock, name to version."""

LENGTHS = "lengths"
"""What a model's metadata call the characters that a free text of a request may have, by its column."""

IMAGES = "images"
"""What a model's metadata call the bytes that an image of a request may have, by its column."""

DECODED = ("pillow",)
"""What decodes images: asked for by the models that take some."""

SERVED_WITH = ("mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops")
"""Distributions whose versions the model asks for when it is served."""

CONVERTED = ("onnxruntime",)
"""What computes a model's ONNX form: asked for by those that have one."""

SERVER = ("mlserver",)
"""What serves it, where it is installed: locked, too, and not asked for by the model itself."""

_ENTRY = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)(?:\s*;\s*([^\\]*))?")


def package(
    model: str,
    train: str,
    target: str,
    columns: Mapping[str, object],
    *,
    lock: str = "",
    lock_hash: str = "",
    metadata: Mapping[str, object] | None = None,
    test: str = "",
    evaluation: Mapping[str, Any] | None = None,
) -> dict[str, object]:
    """Write the folder that is registered and served.

    Args:
        model: The model that `train` wrote.
        train: The training rows, for signature and input example.
        target: The folder; replaced when it is there.
        columns: The roles of the columns (`Columns`): with the training rows they say what the model answers.
        lock: The hashed requirements that this environment was installed from; empty: none are kept with the model.
        lock_hash: `file_hash` of the lock when the run was asked for.
        metadata: Kept in the model beside its output contract, such as data_version and commit; `missing` lists the
            words that stood for a missing value.
        test: The test rows, on which the model's own answers are summed up for its monitor; empty: the training rows.
        evaluation: The report on the test rows, whose metrics go with the model.

    Returns:
        `requirements`: how many are locked; `lock_hash`; `code`: the packages and modules inside; `onnx`: its ONNX form
        (`converted.form.Form`), or the reason why it is served as it is.

    Raises:
        StepError: The lock is missing, has changed since, or lacks something that serving needs.
    """
    from mlstrata_steps.signature import signature

    pipeline = load(model)
    pins = own_pins(lock)
    brought = own_code(model)
    own, code = (*served_with(pipeline), *pins), [Path(__file__).parent, *brought]
    table, roles = read_table(train), Columns.parse(columns)
    unseen = read_table(test) if test else None
    task = asked_of(roles, table)
    several = isinstance(task, Several)
    output = (
        task.output(table, roles)
        if isinstance(task, Several)
        else task.output(task.answers(task.labels(table[roles.target])))
    ).measured(evaluation or {})
    features = feature_frame(table, [str(name) for name in pipeline.feature_names_in_])
    asked = "predict_proba" if not isinstance(task, Several) and task.learns == CLASSIFIER else "predict"
    file, form = None, {REASON: "it gives several answers" if several else "it brings code of its own"}
    if isinstance(pipeline, OnnxModel):
        file, form = pipeline.content, pipeline.form.document()
    elif not several and not brought and not is_pickle(model):
        others = [] if unseen is None else [feature_frame(unseen, list(features.columns))]
        file, form = proven(lambda: convert(pipeline, features), features, output, getattr(pipeline, asked), *others)
    own = (*own, *CONVERTED) if file else own
    limited = {name: roles.text_length for name in features.columns if name in roles.texts}
    shown = {name: roles.image_bytes for name in features.columns if name in roles.images}
    limited |= {name: characters(most) for name, most in shown.items()}
    lengths: dict[str, Any] = {**({LENGTHS: limited} if limited else {}), **({IMAGES: shown} if shown else {})}
    own = (*own, *DECODED) if shown else own
    shutil.rmtree(target, ignore_errors=True)
    described: dict[str, Any] = {
        "signature": signature(features, output),
        "input_example": _example(features),
        "pip_requirements": [f"{name}=={version(name)}" for name in (*SERVED_WITH, *own)],
        "code_paths": [str(one) for one in code],
        "metadata": {
            **(metadata or {}),
            **lengths,
            METADATA: output.document(),
            ONNX: form,
            **({REQUIREMENTS: pins} if pins else {}),
        },
    }
    _saved(model, pipeline, target, asked, described)
    reference = reference_of(pipeline, table, roles, task, output, test=unseen, evaluation=evaluation)
    (Path(target) / REFERENCE).write_text(reference.text(), encoding="utf-8")
    if file:
        (Path(target) / FILE).write_bytes(file)
    locked: dict[str, str] = {}
    if lock:
        if file_hash(lock) != lock_hash:
            raise StepError(f"package: the lock {lock!r} has changed since the run was asked for; run it again")
        locked = needed(entries(Path(lock).read_text(encoding="utf-8")), (*SERVED_WITH, *SERVER, *own))
        (Path(target) / LOCKED).write_text("".join(locked[name] for name in sorted(locked)), encoding="utf-8")
    return {"requirements": len(locked), "lock_hash": lock_hash, "code": [one.name for one in code], "onnx": form}


def _saved(model: str, pipeline: Any, target: str, asked: str, described: Mapping[str, Any]) -> None:
    """Have MLflow write the folder."""
    if isinstance(pipeline, OnnxModel):
        import mlflow.pyfunc

        # It has no file but the one that is written beside: its loader takes the folder.
        mlflow.pyfunc.save_model(target, loader_module=LOADER, **described)
        return
    import mlflow.sklearn

    kept = "pickle" if is_pickle(model) else "skops"
    mlflow.sklearn.save_model(
        pipeline,
        target,
        serialization_format=kept,
        skops_trusted_types=None if kept == "pickle" else trusted(model),
        pyfunc_predict_fn=asked,
        **described,
    )


def own_pins(lock: str) -> dict[str, str]:
    """Return what the system's own requirements add, name to version, of the lock of its environment."""
    own = Path(lock).read_text(encoding="utf-8").partition(f"{OWN_PART}\n")[2] if lock and Path(lock).is_file() else ""
    return {name: pinned(lines) for name, lines in entries(own).items()}


def _example(features: pd.DataFrame) -> pd.DataFrame:
    """Choose rows that show a request: complete ones where there are any, since JSON has no word for "not a number"."""
    complete = features.dropna()
    return (complete if len(complete) else features).head(EXAMPLE_ROWS)


def file_hash(path: str) -> str:
    """Hash a file's bytes: `sha256:…`.

    Raises:
        StepError: There is no such file.
    """
    try:
        return "sha256:" + hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise StepError(f"lock: {path!r} cannot be read: {error.strerror}") from error


def entries(text: str) -> dict[str, str]:
    """Read hashed requirements: normalised name to its lines, the hashes in them.

    One lock serves several versions of Python: what its markers leave out here is left out.
    """
    from packaging.markers import Marker

    found: dict[str, str] = {}
    name = None
    for line in text.splitlines():
        if match := _ENTRY.match(line):
            marker = (match[3] or "").strip()
            name = normal(match[1]) if not marker or Marker(marker).evaluate() else None
            if name:
                found[name] = line + "\n"
        elif name and line.startswith((" ", "\t")) and line.strip().startswith("--hash="):
            found[name] += line + "\n"
    # The last of an entry's lines must not go on into the next entry.
    return {name: lines.rstrip().removesuffix("\\").rstrip() + "\n" for name, lines in found.items()}


def pinned(lines: str) -> str:
    """Give the version that an entry pins."""
    match = _ENTRY.match(lines)
    return match[2] if match else ""


def needed(locked: Mapping[str, str], roots: Iterable[str]) -> dict[str, str]:
    """Choose the entries that some distributions need, and all that those need in this environment.

    Raises:
        StepError: Something installed and needed is not in the lock.
    """
    from packaging.requirements import Requirement

    chosen: dict[str, str] = {}
    waiting = [(normal(root), frozenset[str]()) for root in roots]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            wanted = requires(name) or []
        except PackageNotFoundError:
            continue  # a dependency of another platform, or a server that is not installed here
        if name not in locked:
            raise StepError(f"package: {name} is installed and needed, but the lock does not hold it")
        chosen[name] = locked[name]
        for text in wanted:
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, "")):
                waiting.append((normal(requirement.name), frozenset(requirement.extras)))
    return chosen


def normal(name: str) -> str:
    """Normalise a distribution's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
