"""The steps that make a model and measure it."""
# mypy: disable-error-code="untyped-decorator,type-arg,valid-type,no-any-return"
# Kubeflow's decorators have no types, and its annotations are values.
# ruff: noqa: PLR0917 - Kubeflow passes a component's inputs by name
# Kubeflow reads the annotations of components as objects: no `from __future__ import annotations` here.

from kfp import dsl

from mlstrata.pipelines.kfp_components.base import component


@component
def tune(
    training: dsl.Input[dsl.Dataset],
    columns: dict,
    algorithm: str,
    parameters: str,
    rules: str,
    mitigation: str,
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
            mitigation=json.loads(mitigation),
        )
    write_json(report.path, found)
    return json.dumps(found["parameters"], sort_keys=True)


@component
def train(
    training: dsl.Input[dsl.Dataset],
    columns: dict,
    algorithm: str,
    parameters: str,
    mitigation: str,
    seed: int,
    workers: int,
    model: dsl.Output[dsl.Model],
) -> dict:
    """Fit the model, by several processes when asked to; gives what the rows' answers come to."""
    import json

    from mlstrata_steps.outcome import reporting
    from mlstrata_steps.train import train as run

    with reporting("train"):
        chosen, against = json.loads(parameters), json.loads(mitigation)
        found = run(
            training.path,
            model.path,
            columns,
            algorithm=algorithm,
            parameters=chosen,
            seed=seed,
            workers=workers,
            mitigation=against,
        )
    model.framework = "scikit-learn"
    about = {"algorithm": algorithm, "features": list(found.features), "mitigation": against}
    model.metadata.update({**about, **found.shared})
    return dict(found.answers)


@component
def bring(
    testing: dsl.Input[dsl.Dataset],
    columns: dict,
    file: str,
    digest: str,
    model: dsl.Output[dsl.Model],
    report: dsl.Output[dsl.Artifact],
) -> dict:
    """Take a model that was trained elsewhere, in place of training one; gives what the rows' answers come to."""
    from mlstrata_steps.brought import bring as run
    from mlstrata_steps.outcome import reporting, telling, write_json

    with reporting("bring"):
        found = run(file, digest, testing.path, model.path, columns)
        if found.matched:
            telling("bring")(found.matched)
        # Nothing was tried: the report of trials is empty.
        write_json(report.path, {})
    model.metadata.update({"features": list(found.features), "matched": found.matched})
    return dict(found.answers)


@component
def evaluate(
    testing: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    columns: dict,
    answers: dict,
    seed: int,
    metrics: dsl.Output[dsl.Metrics],
) -> dict:
    """Measure the model on the test rows."""
    from mlstrata_steps.evaluate import evaluate as run
    from mlstrata_steps.outcome import reporting, write_json
    from mlstrata_steps.register import numbers

    with reporting("evaluate"):
        found = run(testing.path, model.path, columns, answers=answers, seed=seed)
    write_json(metrics.path, found)
    for name, value in numbers(found).items():
        metrics.log_metric(name, value)
    return found
