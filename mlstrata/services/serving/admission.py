"""Which files of a model may be loaded: looked at as data, before anything in them runs.

A model that MLflow packs names the module that loads it and may bring code of its own, so loading one is running what
its author wrote. A release says of each version which files it is made of and whether its system brings code; what it
says lies beside the models, where no registry writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import Field

from mlstrata.closed import Closed
from mlstrata_steps.converted.form import FILE
from mlstrata_steps.estimator import is_installed_type
from mlstrata_steps.foreign.model import LOADER as ONNX
from mlstrata_steps.seal import folder_digest

MODEL_FILE = "MLmodel"
_LARGEST = 4 * 2**20
_KEYS = frozenset({"code", "data", "env", "loader_module", "model_path", "predict_fn", "python_version", "streamable"})
_PREDICT = frozenset({"predict", "predict_proba", "predict_log_proba"})
_OUR_CODE = "mlstrata_steps"
BROUGHT_BY = "model.train: MODULE:FUNCTION, or model.algorithm: MODULE:NAME"
"""What in a system's file says that its model brings code."""


class RefusedError(Exception):
    """A model may not be loaded; the message says why."""


class Admission(Closed):
    """What a release says of the files of a version."""

    digest: str = Field(default="", description="`folder_digest` of its files; empty: nobody recorded one.")
    own_code: bool = Field(
        default=False, description="Whether it may bring code and a loader: its system's file says that it does."
    )

    @classmethod
    def of(cls, folder: Path) -> Admission | None:
        """Read what was said of the model in a folder; None of one that was released before anything was.

        Raises:
            RefusedError: It cannot be read.
        """
        try:
            return cls.model_validate_json(place(folder).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise RefusedError(f"{place(folder)} is not what a release writes; release the version again") from error


def place(folder: Path) -> Path:
    """Return the file that says of a model's folder, `models/<version>`, what may be loaded."""
    return folder.parent.parent / "admitted" / f"{folder.name}.json"


def admit(folder: Path, *, loaded: bool = True) -> None:
    """Refuse a model that may not be loaded.

    Args:
        folder: The model.
        loaded: Whether MLflow loads it; else only data of it are read, and what its loading would run is not looked at.

    Raises:
        RefusedError: Its files are not those that were released, or would run code that its system does not bring.
    """
    said = Admission.of(folder)
    if said and said.digest and digest_of(folder) != said.digest:
        raise RefusedError("its files are not those that were judged and released; release it again")
    if loaded and (said is None or not said.own_code):
        look(folder, code=said is not None)


def digest_of(folder: Path) -> str:
    """Return the digest of a model's files.

    Raises:
        RefusedError: One of them is no plain file, or cannot be read.
    """
    try:
        digest: str = folder_digest(folder)
    except (OSError, ValueError) as error:
        raise RefusedError(f"its files cannot be read: {error}") from error
    return digest


def look(folder: Path, *, code: bool = True) -> None:
    """Refuse a model whose loading runs anything but what is installed here.

    Args:
        folder: The model.
        code: Whether the code that it brings is looked at; not that of versions which were released before it was.

    Raises:
        RefusedError: What is wrong, and what is allowed.
    """
    flavors = document(folder).get("flavors")
    known = flavors if isinstance(flavors, Mapping) else {}
    packed = known.get("python_function")
    if not isinstance(packed, Mapping):
        raise RefusedError(f"{MODEL_FILE} has no flavour python_function; log the model with MLflow")
    loader = packed.get("loader_module")
    if not isinstance(loader, str) or loader not in LOADERS:
        raise RefusedError(
            f"{MODEL_FILE}: loader_module: got {str(loader)[:80]!r}; allowed {', '.join(LOADERS)}, or any where the "
            f"system's file says that it brings code of its own ({BROUGHT_BY})"
        )
    if odd := sorted(str(key) for key in set(packed) - _KEYS):
        raise RefusedError(
            f"{MODEL_FILE}: python_function: got {', '.join(odd)[:80]}; allowed {', '.join(sorted(_KEYS))}"
        )
    if str(packed.get("predict_fn", "predict")) not in _PREDICT:
        raise RefusedError(f"{MODEL_FILE}: predict_fn: allowed {', '.join(sorted(_PREDICT))}")
    for key in ("data", "model_path"):
        _inside(packed.get(key), key)
    if code and packed.get("code"):
        _require_our_code(folder, packed["code"])
    LOADERS[loader](known)


def _sklearn(flavors: Mapping[str, Any]) -> None:
    """Refuse what is no skops file, or asks skops to rebuild types that are none of ours."""
    flavor = flavors.get("sklearn")
    packed = flavor if isinstance(flavor, Mapping) else {}
    if packed.get("serialization_format") != "skops":
        got = str(packed.get("serialization_format") or "a pickle")[:40]
        raise RefusedError(
            f'it is stored as {got}, which runs code when it is loaded; log it with serialization_format="skops"'
        )
    types = packed.get("skops_trusted_types") or []
    named = {str(one) for one in types} if isinstance(types, list) else {str(types)}
    if odd := sorted(one for one in named if not is_installed_type(one)):
        raise RefusedError(f"skops_trusted_types: got {', '.join(odd)[:120]}, which no shipped learner is made of")


def _onnx(flavors: Mapping[str, Any]) -> None:
    """Refuse one that names a file: it has one, under its own name, which is looked at before it is computed."""
    packed = flavors["python_function"]
    if named := packed.get("data") or packed.get("model_path"):
        raise RefusedError(f"{MODEL_FILE}: got data {str(named)[:80]!r}; allowed {FILE} in the model's folder alone")


LOADERS: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "mlflow.sklearn": _sklearn,
    ONNX: _onnx,
}
"""Modules that may load a model, and what each asks of the flavours beside it."""


def document(folder: Path) -> Mapping[str, Any]:
    """Return what MLflow wrote about a model.

    Raises:
        RefusedError: It cannot be read.
    """
    import yaml

    path = folder / MODEL_FILE
    try:
        if path.stat().st_size > _LARGEST:
            raise RefusedError(f"{MODEL_FILE} is larger than {_LARGEST // 2**20} MiB")
        found = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        raise RefusedError(f"it has no {MODEL_FILE}") from None
    except (OSError, yaml.YAMLError, RecursionError) as error:
        raise RefusedError(f"{MODEL_FILE} cannot be read: {str(error)[:120]}") from error
    if not isinstance(found, Mapping):
        raise RefusedError(f"{MODEL_FILE} is no mapping")
    return found


def _inside(path: object, key: str) -> None:
    if path is not None:
        parts = PurePosixPath(str(path))
        if not isinstance(path, str) or parts.is_absolute() or ".." in parts.parts:
            raise RefusedError(f"{MODEL_FILE}: {key}: got {str(path)[:80]!r}; allowed a path inside of the model")


def _require_our_code(folder: Path, named: object) -> None:
    _inside(named, "code")
    brought = sorted(one.name for one in (folder / str(named)).glob("*"))
    if odd := [one for one in brought if one != _OUR_CODE]:
        raise RefusedError(
            f"it brings code of its own ({', '.join(odd)[:80]}), and the system's file does not say that it does "
            f"({BROUGHT_BY})"
        )
