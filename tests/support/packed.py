"""A model's folder as the platform packs one, with nothing in it, and the tags of one that it sealed."""

from __future__ import annotations

from pathlib import Path

from mlstrata_steps.seal import DIGEST, TAG, Made, folder_digest

KEY = "the environment's key"
GATES = {"checks": [{"name": "auc", "passed": True, "detail": "0.8", "warns": False}]}
_DESCRIBED = """\
flavors:
  python_function: {loader_module: mlflow.sklearn, model_path: model.skops, predict_fn: predict_proba}
  sklearn: {serialization_format: skops, skops_trusted_types: []}
"""


def pack(folder: Path) -> None:
    """Write the description of a model that may be loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "MLmodel").write_text(_DESCRIBED, encoding="utf-8")


def sealed(folder: Path, system: str, run: str) -> dict[str, str]:
    """Return the tags of a version whose files are those of a folder."""
    digest = folder_digest(folder)
    return {DIGEST: digest, TAG: Made(system, run, digest, GATES).sealed(KEY)}
