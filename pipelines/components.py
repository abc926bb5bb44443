"""The training pipeline's steps as components.

Each is a thin wrapper, because Kubeflow copies its source into the compiled file: it unpacks parameters, calls one
function of `mlstrata_steps` and writes its outputs. Documents whose numbers matter exactly travel as JSON text:
Kubeflow's own structures turn 1 into 1.0, which to a classifier can mean another thing.
"""
# mypy: disable-error-code="untyped-decorator,type-arg,valid-type,no-any-return"
# Kubeflow's decorators have no types, and its annotations are values.
# ruff: noqa: PLR0917 - Kubeflow passes a component's inputs by name
# Kubeflow reads the annotations of components as objects: no `from __future__ import annotations` here.

from typing import NamedTuple

from kfp import dsl
from mlstrata_steps import __version__

IMAGE = f"mlstrata/steps-python:{__version__}"
"""The image that holds Python, kfp, `mlstrata-steps` of this version and what its steps import."""

component = dsl.component(base_image=IMAGE, install_kfp_package=False)


@component
def ingest(source: str, store: str, data: dsl.Output[dsl.Dataset]) -> NamedTuple(
    "Outputs", [("data_version", str), ("rows", int), ("stamp", str)]
):
    """Read the source; its snapshot in the store is the artifact."""
    import shutil

    from mlstrata_steps.ingest import ingest as run
    from mlstrata_steps.outcome import reporting

    with reporting("ingest"):
        found = run(source, store or f"{data.path}.snapshots")
    if store:
        data.uri = found.path
    else:
        # Steps on machines of their own share no folder: the snapshot is what Kubeflow carries to the next.
        shutil.move(found.path, data.path)
    data.metadata.update({"data_version": found.data_version, "source": source, "rows": found.rows})
    data.metadata.update({"data_pointer": found.pointer})
    return (found.data_version, found.rows, found.stamp)


@component
def privacy(
    data: dsl.Input[dsl.Dataset], columns: dict, declared: dict, rules: str, report: dsl.Output[dsl.Artifact]
) -> dict:
    """Look for undeclared personal data; some ends the run."""
    import json

    from mlstrata_steps.outcome import gated
    from mlstrata_steps.privacy import check_privacy

    return gated(
        "privacy",
        report.path,
        check_privacy,
        data.path,
        columns,
        declared,
        json.loads(rules),
    )


@component
def quality(data: dsl.Input[dsl.Dataset], columns: dict, rules: str, report: dsl.Output[dsl.Artifact]) -> dict:
    """Check the snapshot; a failed check ends the run."""
    import json

    from mlstrata_steps.outcome import gated
    from mlstrata_steps.quality import check_quality

    return gated(
        "quality",
        report.path,
        check_quality,
        data.path,
        columns,
        json.loads(rules),
    )


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
    from mlstrata_steps.outcome import gated

    return gated(
        "leakage",
        report.path,
        check_leakage,
        training.path,
        testing.path,
        columns,
        json.loads(rules),
        seed=seed,
    )


@component
def tune(
    training: dsl.Input[dsl.Dataset],
    columns: dict,
    algorithm: str,
    parameters: str,
    rules: str,
    seed: int,
    store: str,
    report: dsl.Output[dsl.Artifact],
) -> str:
    """Try hyperparameters on validation folds, several at once; gives the chosen ones as JSON text."""
    import json

    from mlstrata_steps.outcome import reporting, telling, write_json
    from mlstrata_steps.search import search

    with reporting("tune"):
        declared, looked = json.loads(parameters), json.loads(rules)
        found = search(
            training.path,
            columns,
            algorithm=algorithm,
            parameters=declared,
            rules=looked,
            seed=seed,
            store=store,
            tell=telling("tune"),
        )
    write_json(report.path, found)
    return json.dumps(found["parameters"], sort_keys=True)


@component
def train(
    training: dsl.Input[dsl.Dataset],
    columns: dict,
    algorithm: str,
    parameters: str,
    seed: int,
    workers: int,
    model: dsl.Output[dsl.Model],
) -> float:
    """Fit the model, by several processes when asked to; gives the share of positives."""
    import json

    from mlstrata_steps.outcome import reporting
    from mlstrata_steps.train import train as run

    with reporting("train"):
        chosen = json.loads(parameters)
        found = run(
            training.path, model.path, columns, algorithm=algorithm, parameters=chosen, seed=seed, workers=workers
        )
    model.framework = "scikit-learn"
    model.metadata.update({"algorithm": algorithm, "features": list(found.features), **found.shared})
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

    from mlstrata_steps.outcome import gated
    from mlstrata_steps.signal import check_signal

    return gated(
        "signal",
        report.path,
        check_signal,
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
    from mlstrata_steps.outcome import gated

    return gated(
        "fairness",
        report.path,
        check_fairness,
        testing.path,
        model.path,
        columns,
        json.loads(rules),
        seed=seed,
    )


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

    from mlstrata_steps.outcome import gated
    from mlstrata_steps.plausibility import check_plausibility

    return gated(
        "plausibility",
        report.path,
        check_plausibility,
        testing.path,
        model.path,
        columns,
        json.loads(rules),
        seed=seed,
    )


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
def package(
    model: dsl.Input[dsl.Model],
    training: dsl.Input[dsl.Dataset],
    lock: str,
    lock_hash: str,
    data_version: str,
    commit: str,
    packaged: dsl.Output[dsl.Model],
) -> None:
    """Write the folder that is served and registered."""
    from mlstrata_steps.outcome import reporting
    from mlstrata_steps.package import package as run

    named = {"data_version": data_version, "commit": commit}
    with reporting("package"):
        found = run(model.path, training.path, packaged.path, lock=lock, lock_hash=lock_hash, metadata=named)
    packaged.framework = "mlflow"
    packaged.metadata.update(found)


@component
def served(
    packaged: dsl.Input[dsl.Model],
    testing: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    server: str,
    lock: str,
    report: dsl.Output[dsl.Artifact],
) -> dict:
    """Serve the package in this environment and ask it; wrong answers end the run."""
    import json

    from mlstrata_steps.outcome import gated
    from mlstrata_steps.served import check_served

    return gated(
        "served", report.path, check_served, packaged.path, testing.path, model.path, json.loads(server), lock=lock
    )


@component
def compare(
    testing: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    columns: dict,
    base_rate: float,
    system: str,
    tracking_uri: str,
    rules: str,
    settings: str,
    data_version: str,
    seed: int,
    report: dsl.Output[dsl.Artifact],
) -> dict:
    """Compare with the base rate and with the champion on the same rows; enforced, a worse model ends the run."""
    import json

    from mlstrata_steps.compare import compare as run
    from mlstrata_steps.outcome import gated

    return gated(
        "compare",
        report.path,
        run,
        testing.path,
        model.path,
        columns,
        base_rate=base_rate,
        system=system,
        tracking_uri=tracking_uri,
        rules=json.loads(rules),
        settings=json.loads(settings),
        data_version=data_version,
        seed=seed,
    )


@component
def register(
    system: str,
    model: dsl.Input[dsl.Model],
    packaged: dsl.Input[dsl.Model],
    tuned: dsl.Input[dsl.Artifact],
    served: dict,
    comparison: dict,
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
) -> str:
    """Put the model into the registry; gives what the run came to as JSON text."""
    import json

    from mlstrata_steps.gates import joined
    from mlstrata_steps.outcome import read_json, reporting
    from mlstrata_steps.register import Lineage
    from mlstrata_steps.register import register as run

    with reporting("register"):
        recipe, tuning = json.loads(settings), read_json(tuned.path)
        pointed = {"data_pointer": str(data.metadata.get("data_pointer") or "")}
        made = Lineage.of(recipe, stamp, data.metadata["data_version"], data_path=data.path, **pointed, **lineage)
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
            outcomes=joined(outcomes, {"served": served, "compare": comparison}),
            package=packaged.path,
            search=tuning,
            comparison=comparison,
            tracking_uri=tracking_uri,
        )
    said = {"data_version": made.data_version, "evaluation": evaluation, "comparison": comparison, "tuning": tuning}
    return json.dumps({**found, **said, "gates": joined(outcomes, {"served": served, "compare": comparison})})
