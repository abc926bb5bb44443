"""Compile a pipeline to the one file that Kubeflow Pipelines and the local runner both execute."""

from __future__ import annotations

import os
from pathlib import Path

PIPELINES = ("training",)


def compile_pipeline(name: str, target: Path, *, gpus: int = 0) -> Path:
    """Write a pipeline's IR; the same pipeline gives the same bytes.

    Args:
        name: One of `PIPELINES`.
        target: The file to write, replaced in one move.
        gpus: Accelerators for the steps that use them.

    Raises:
        ValueError: There is no such pipeline.
    """
    if name not in PIPELINES:
        raise ValueError(f"pipeline: got {name!r}; allowed {', '.join(PIPELINES)}")
    from kfp.compiler import Compiler

    from mlstrata.pipelines.training import training_pipeline

    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(f"{target.stem}.{os.getpid()}.tmp.yaml")
    Compiler().compile(training_pipeline(gpus), str(staged))
    staged.replace(target)
    return target
