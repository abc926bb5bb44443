"""Compile a pipeline to the one file that Kubeflow Pipelines and the local runner both execute."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from inspect import isfunction, signature
from pathlib import Path
from typing import Any

from mlstrata.environments import Workspace
from mlstrata.environments.spec.base import suggestion
from mlstrata.environments.spec.model import PIPELINES
from mlstrata.environments.spec.settings import JUDGING, TRAINING
from mlstrata.kubeflow_sdk import import_sdk


class PipelineError(ValueError):
    """A pipeline is not there, or is none that trains a model of a system."""


def compile_pipeline(name: str, target: Path, *, gpus: int = 0, workspace: Workspace | None = None) -> Path:
    """Write a pipeline's IR; the same pipeline gives the same bytes.

    Args:
        name: As `model.pipeline` in an environment's file: `training` or `judging`, the name of an entry point, or
            `module:name`.
        target: The file to write, replaced in one move.
        gpus: Accelerators for the steps that use them.
        workspace: Whose `pipelines/` are looked in first; none: installed pipelines only.

    Raises:
        PipelineError: There is no such pipeline, or it is none that trains a model of a system.
    """
    import_sdk()
    pipeline = _shipped(name, gpus) if name in (TRAINING, JUDGING) else _own(name, gpus, workspace)
    from kfp.compiler import Compiler

    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(f"{target.stem}.{os.getpid()}.tmp.yaml")
    Compiler().compile(pipeline, str(staged))
    staged.replace(target)
    return target


def _shipped(name: str, gpus: int) -> Any:
    from mlstrata.pipelines.training import training_pipeline

    return training_pipeline(gpus, name=name, elsewhere=name == JUDGING)


def _own(name: str, gpus: int, workspace: Workspace | None) -> Any:
    """Import a pipeline of somebody's own: one of Kubeflow's, or a function of the accelerators that makes one."""
    from kfp.dsl import base_component

    from mlstrata_steps.references import imported

    folders = [workspace.root / PIPELINES.folder] if workspace else []
    if (problem := PIPELINES.unknown_name(name)) or not (reference := PIPELINES.reference(name)):
        raise PipelineError(f"pipeline: {problem.what}; {problem.fix}" if problem else f"pipeline: got {name!r}")
    found = imported(reference, folders)
    if isfunction(found):
        found = found(**({"gpus": gpus} if "gpus" in signature(found).parameters else {}))
    if not isinstance(found, base_component.BaseComponent):
        raise PipelineError(
            f"pipeline: {name} is {type(found).__name__}; allowed a pipeline of kfp.dsl, or what makes one"
        )
    return found


def inputs(ir: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Choose what a compiled pipeline takes of the inputs that a run has.

    Args:
        ir: The compiled pipeline.
        given: Every input that a run of the training pipeline has, by name.

    Raises:
        PipelineError: It needs one that no run has.
    """
    declared = ir["root"].get("inputDefinitions", {}).get("parameters", {})
    needed = [name for name, one in declared.items() if not one.get("isOptional") and "defaultValue" not in one]
    _refuse(ir["pipelineInfo"]["name"], (name for name in needed if name not in given), sorted(given))
    return {name: given[name] for name in declared if name in given}


def _refuse(pipeline: str, unknown: Iterable[str], allowed: list[str]) -> None:
    for name in unknown:
        hint = suggestion(name, allowed) or f"allowed {', '.join(allowed)}"
        raise PipelineError(f"pipeline {pipeline}: needs the input {name!r}, which no run has; {hint}")
