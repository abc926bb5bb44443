"""The training pipeline: a model is made between gates, and the registry sees it only when it has passed them all.

ingest · privacy, quality · split · leakage · train · evaluate · signal, fairness, plausibility · gates · register. A
gate writes its report, ends the run when it refuses, and is never tried again: its answer would not change.

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
def privacy(
    data: dsl.Input[dsl.Dataset], columns: dict, declared: dict, rules: str, report: dsl.Output[dsl.Artifact]
) -> dict:
    """Look for undeclared personal data; some ends the run."""
    import json

    from mlstrata_steps.outcome import reporting, require, write_json
    from mlstrata_steps.privacy import check_privacy

    with reporting("privacy"):
        found = check_privacy(data.path, columns, declared, json.loads(rules))
        write_json(report.path, found)
        require(found)
    return found


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
def leakage(
    training: dsl.Input[dsl.Dataset],
    testing: dsl.Input[dsl.Dataset],
    columns: dict,
    rules: str,
    seed: int,
    report: dsl.Output[dsl.Artifact],
) -> dict:
    """Look for the answer among the features; it ends the run."""
    import json

    from mlstrata_steps.leakage import check_leakage
    from mlstrata_steps.outcome import reporting, require, write_json

    with reporting("leakage"):
        found = check_leakage(training.path, testing.path, columns, json.loads(rules), seed=seed)
        write_json(report.path, found)
        require(found)
    return found


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
def signal(
    training: dsl.Input[dsl.Dataset],
    testing: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    columns: dict,
    evaluation: dict,
    rules: str,
    algorithm: str,
    parameters: str,
    seed: int,
    report: dsl.Output[dsl.Artifact],
) -> dict:
    """Compare with models of shuffled labels; one no better than chance ends the run."""
    import json

    from mlstrata_steps.outcome import reporting, require, write_json
    from mlstrata_steps.signal import check_signal

    with reporting("signal"):
        found = check_signal(
            training.path,
            testing.path,
            model.path,
            columns,
            evaluation=evaluation,
            rules=json.loads(rules),
            algorithm=algorithm,
            parameters=json.loads(parameters),
            seed=seed,
        )
        write_json(report.path, found)
        require(found)
    return found


@component
def fairness(
    testing: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    columns: dict,
    rules: str,
    seed: int,
    report: dsl.Output[dsl.Artifact],
) -> dict:
    """Compare the protected groups; too large a difference ends the run."""
    import json

    from mlstrata_steps.fairness import check_fairness
    from mlstrata_steps.outcome import reporting, require, write_json

    with reporting("fairness"):
        found = check_fairness(testing.path, model.path, columns, json.loads(rules), seed=seed)
        write_json(report.path, found)
        require(found)
    return found


@component
def plausibility(
    testing: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    columns: dict,
    rules: str,
    seed: int,
    report: dsl.Output[dsl.Artifact],
) -> dict:
    """Try the model on changed rows; an answer that makes no sense ends the run."""
    import json

    from mlstrata_steps.outcome import reporting, require, write_json
    from mlstrata_steps.plausibility import check_plausibility

    with reporting("plausibility"):
        found = check_plausibility(testing.path, model.path, columns, json.loads(rules), seed=seed)
        write_json(report.path, found)
        require(found)
    return found


@component
def gates(
    evaluation: dict, kpis: list, privacy: dict, leakage: dict, signal: dict, fairness: dict, plausibility: dict
) -> dict:
    """Judge the evaluation, and put together what every gate found; a failed one ends the run."""
    from mlstrata_steps.gates import gate
    from mlstrata_steps.outcome import reporting

    reports = {
        "privacy": privacy,
        "leakage": leakage,
        "signal": signal,
        "fairness": fairness,
        "plausibility": plausibility,
    }
    with reporting("gates"):
        return gate(evaluation, kpis, reports)


@component
def register(
    system: str,
    model: dsl.Input[dsl.Model],
    training: dsl.Input[dsl.Dataset],
    data: dsl.Input[dsl.Dataset],
    report: dsl.Input[dsl.Artifact],
    evaluation: dict,
    outcomes: dict,
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
            outcomes=outcomes,
            tracking_uri=tracking_uri,
        )
    return {**found, "data_version": made.data_version, "evaluation": evaluation, "gates": outcomes}


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
        declared: dict,
        privacy_rules: str,
        quality_rules: str,
        leakage_rules: str,
        signal_rules: str,
        fairness_rules: str,
        plausibility_rules: str,
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
        scanned = asking(privacy(data=data, columns=columns, declared=declared, rules=privacy_rules))
        checked = asking(quality(data=data, columns=columns, rules=quality_rules).after(scanned))
        sides = asking(split(data=data, target=target, seed=seed, test_fraction=test_fraction).after(checked))
        training_rows, test_rows = sides.outputs["training"], sides.outputs["testing"]
        searched = asking(
            leakage(training=training_rows, testing=test_rows, columns=columns, rules=leakage_rules, seed=seed)
        )
        trained = asking(
            train(
                training=training_rows,
                columns=columns,
                algorithm=algorithm,
                parameters=parameters,
                seed=seed,
            ).after(searched)
        )
        fitted = trained.outputs["model"]
        evaluated = asking(
            evaluate(
                testing=test_rows,
                model=fitted,
                columns=columns,
                base_rate=trained.outputs["Output"],
                seed=seed,
            )
        )
        evaluation = evaluated.outputs["Output"]
        compared = asking(
            signal(
                training=training_rows,
                testing=test_rows,
                model=fitted,
                columns=columns,
                evaluation=evaluation,
                rules=signal_rules,
                algorithm=algorithm,
                parameters=parameters,
                seed=seed,
            )
        )
        # Fairness and plausibility of a model that knows nothing say nothing: they come after.
        grouped = asking(
            fairness(testing=test_rows, model=fitted, columns=columns, rules=fairness_rules, seed=seed).after(compared)
        )
        tried = asking(
            plausibility(testing=test_rows, model=fitted, columns=columns, rules=plausibility_rules, seed=seed).after(
                compared
            )
        )
        judged = asking(
            gates(
                evaluation=evaluation,
                kpis=kpis,
                privacy=scanned.outputs["Output"],
                leakage=searched.outputs["Output"],
                signal=compared.outputs["Output"],
                fairness=grouped.outputs["Output"],
                plausibility=tried.outputs["Output"],
            )
        )
        registered = asking(
            register(
                system=system,
                model=fitted,
                training=training_rows,
                data=data,
                report=checked.outputs["report"],
                evaluation=evaluation,
                outcomes=judged.output,
                columns=columns,
                settings=settings,
                kpis=kpis,
                lineage=lineage,
                stamp=ingested.outputs["stamp"],
                tracking_uri=tracking_uri,
            )
        )
        return registered.output

    return training
