"""The training pipeline: ingest, quality, split, train, evaluate, gates, register.

Each component is a thin wrapper, because Kubeflow copies its source into the compiled file: it unpacks parameters,
calls one function of `mlstrata_steps` and writes its outputs. A step's environment names the version of that package's
code, so caching, whose keys hold the environment, never serves the work of older code. Documents whose numbers matter
exactly travel as JSON text: Kubeflow's own structures turn 1 into 1.0, which to a classifier can mean another thing.
"""
# mypy: disable-error-code="untyped-decorator,type-arg,valid-type,no-any-return"
# Kubeflow's decorators have no types, and its annotations are values.
# ruff: noqa: PLR0917 - Kubeflow passes a component's inputs by name
# Kubeflow reads the annotations of components as objects: no `from __future__ import annotations` here.

from collections.abc import Callable
from typing import Any, NamedTuple

from kfp import dsl
from mlstrata_steps import __version__
from mlstrata_steps.versioning import code_version

from pipelines.resources import ACCELERATOR, TRAINING

IMAGE = f"mlstrata/steps-python:{__version__}"
"""The image that holds Python, kfp, `mlstrata-steps` of this version and what its steps import."""

component = dsl.component(base_image=IMAGE, install_kfp_package=False)


@component
def ingest(source: str, store: str, data: dsl.Output[dsl.Dataset]) -> NamedTuple(
    "Outputs", [("data_version", str), ("rows", int), ("stamp", str)]
):
    """Read the source; its snapshot in the store is the artifact."""
    from mlstrata_steps.ingest import ingest as run
    from mlstrata_steps.outcome import reporting

    with reporting("ingest"):
        found = run(source, store or data.path)
    data.uri = found.path
    data.metadata.update({"data_version": found.data_version, "source": source, "rows": found.rows})
    return (found.data_version, found.rows, found.stamp)


@component
def quality(data: dsl.Input[dsl.Dataset], columns: dict, rules: str, report: dsl.Output[dsl.Artifact]) -> None:
    """Check the snapshot; a failed check ends the run."""
    import json

    from mlstrata_steps.outcome import reporting, require, write_json
    from mlstrata_steps.quality import check_quality

    with reporting("quality"):
        found = check_quality(data.path, columns, json.loads(rules))
        write_json(report.path, found)
        require(found)


@component
def split(
    data: dsl.Input[dsl.Dataset],
    target: str,
    seed: int,
    test_fraction: float,
    training: dsl.Output[dsl.Dataset],
    testing: dsl.Output[dsl.Dataset],
) -> NamedTuple("Outputs", [("train_rows", int), ("test_rows", int)]):
    """Write training and test rows."""
    from mlstrata_steps.outcome import reporting
    from mlstrata_steps.split import split as run

    with reporting("split"):
        sides = run(data.path, training.path, testing.path, target, seed=seed, test_fraction=test_fraction)
    return (sides.train, sides.test)


@component
def train(
    training: dsl.Input[dsl.Dataset],
    columns: dict,
    algorithm: str,
    parameters: str,
    seed: int,
    model: dsl.Output[dsl.Model],
) -> float:
    """Fit the model; gives the share of positives."""
    import json

    from mlstrata_steps.outcome import reporting
    from mlstrata_steps.train import train as run

    with reporting("train"):
        chosen = json.loads(parameters)
        found = run(training.path, model.path, columns, algorithm=algorithm, parameters=chosen, seed=seed)
    model.framework = "scikit-learn"
    model.metadata.update({"algorithm": algorithm, "features": list(found.features)})
    return found.base_rate


@component
def evaluate(
    testing: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    columns: dict,
    base_rate: float,
    seed: int,
    metrics: dsl.Output[dsl.Metrics],
) -> dict:
    """Measure the model on the test rows."""
    from mlstrata_steps.evaluate import evaluate as run
    from mlstrata_steps.outcome import reporting, write_json
    from mlstrata_steps.register import numbers

    with reporting("evaluate"):
        found = run(testing.path, model.path, columns, base_rate=base_rate, seed=seed)
    write_json(metrics.path, found)
    for name, value in numbers(found).items():
        metrics.log_metric(name, value)
    return found


@component
def gates(evaluation: dict, kpis: list) -> dict:
    """Judge the evaluation; a failed gate ends the run."""
    from mlstrata_steps.gates import gate
    from mlstrata_steps.outcome import reporting

    with reporting("gates"):
        return gate(evaluation, kpis)


@component
def register(
    system: str,
    model: dsl.Input[dsl.Model],
    training: dsl.Input[dsl.Dataset],
    data: dsl.Input[dsl.Dataset],
    report: dsl.Input[dsl.Artifact],
    evaluation: dict,
    columns: dict,
    settings: str,
    kpis: list,
    lineage: dict,
    stamp: str,
    tracking_uri: str,
) -> dict:
    """Put the model into the registry."""
    import json

    from mlstrata_steps.outcome import read_json, reporting
    from mlstrata_steps.register import Lineage
    from mlstrata_steps.register import register as run

    with reporting("register"):
        recipe = json.loads(settings)
        made = Lineage.of(recipe, stamp, data.metadata["data_version"], data_path=data.path, **lineage)
        found = run(
            system,
            model.path,
            training.path,
            evaluation,
            made,
            columns=columns,
            settings=recipe,
            kpis=kpis,
            quality=read_json(report.path),
            tracking_uri=tracking_uri,
        )
    return {**found, "data_version": made.data_version, "evaluation": evaluation}


def training_pipeline(gpus: int = 0) -> Callable[..., Any]:
    """Build the pipeline.

    Args:
        gpus: Accelerators for training; none by default, since its models use none.
    """

    def asking(task: dsl.PipelineTask) -> dsl.PipelineTask:
        needs = TRAINING[task.name]
        task.set_cpu_request(needs.cpu).set_cpu_limit(needs.cpu)
        task.set_memory_request(needs.memory).set_memory_limit(needs.memory)
        task.set_accelerator_type(ACCELERATOR).set_accelerator_limit(gpus if needs.accelerated else 0)
        task.set_env_variable("MLSTRATA_STEPS", code_version())
        task.set_retry(num_retries=needs.retries, backoff_duration="1s", backoff_factor=2.0)
        return task.set_caching_options(needs.cached)

    @dsl.pipeline(name="training", description="Train, judge and register one model of an AI system.")
    def training(
        system: str,
        source: str,
        store: str,
        columns: dict,
        algorithm: str,
        parameters: str,
        quality_rules: str,
        kpis: list,
        settings: str,
        lineage: dict,
        tracking_uri: str,
        seed: int = 0,
        test_fraction: float = 0.25,
        target: str = "target",
    ) -> dict:
        ingested = asking(ingest(source=source, store=store))
        data = ingested.outputs["data"]
        checked = asking(quality(data=data, columns=columns, rules=quality_rules))
        sides = asking(split(data=data, target=target, seed=seed, test_fraction=test_fraction).after(checked))
        trained = asking(
            train(
                training=sides.outputs["training"],
                columns=columns,
                algorithm=algorithm,
                parameters=parameters,
                seed=seed,
            )
        )
        evaluated = asking(
            evaluate(
                testing=sides.outputs["testing"],
                model=trained.outputs["model"],
                columns=columns,
                base_rate=trained.outputs["Output"],
                seed=seed,
            )
        )
        evaluation = evaluated.outputs["Output"]
        judged = asking(gates(evaluation=evaluation, kpis=kpis))
        registered = asking(
            register(
                system=system,
                model=trained.outputs["model"],
                training=sides.outputs["training"],
                data=data,
                report=checked.outputs["report"],
                evaluation=evaluation,
                columns=columns,
                settings=settings,
                kpis=kpis,
                lineage=lineage,
                stamp=ingested.outputs["stamp"],
                tracking_uri=tracking_uri,
            ).after(judged)
        )
        return registered.output

    return training
