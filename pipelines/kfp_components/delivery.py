"""The steps that pack a model, serve it once, and put it into the registry."""
# mypy: disable-error-code="untyped-decorator,type-arg,valid-type,no-any-return"
# Kubeflow's decorators have no types, and its annotations are values.
# ruff: noqa: PLR0917 - Kubeflow passes a component's inputs by name
# Kubeflow reads the annotations of components as objects: no `from __future__ import annotations` here.

from kfp import dsl

from mlstrata.pipelines.kfp_components.base import component


@component
def package(
    model: dsl.Input[dsl.Model],
    training: dsl.Input[dsl.Dataset],
    testing: dsl.Input[dsl.Dataset],
    columns: dict,
    evaluation: dict,
    lock: str,
    lock_hash: str,
    data_version: str,
    commit: str,
    packaged: dsl.Output[dsl.Model],
    reading: str = "{}",
) -> None:
    """Write the folder that is served and registered."""
    import json

    from mlstrata_steps.outcome import reporting
    from mlstrata_steps.package import package as run

    # Words that stood for a missing value in training do so in a request.
    missing = json.loads(reading).get("form", {}).get("missing", [])
    named = {"data_version": data_version, "commit": commit, **({"missing": missing} if missing else {})}
    with reporting("package"):
        measured = {"test": testing.path, "evaluation": evaluation}
        locked = {"lock": lock, "lock_hash": lock_hash}
        found = run(model.path, training.path, packaged.path, columns, metadata=named, **locked, **measured)
    packaged.framework = "mlflow"
    packaged.metadata.update(found)


@component
def served(
    packaged: dsl.Input[dsl.Model],
    testing: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    columns: dict,
    server: str,
    lock: str,
    report: dsl.Output[dsl.Artifact],
) -> dict:
    """Serve the package in this environment and ask it; wrong answers end the run."""
    import json

    from mlstrata_steps.outcome import gated
    from mlstrata_steps.served import check_served

    inputs = (packaged.path, testing.path, model.path, columns, json.loads(server))
    return gated("served", report.path, check_served, *inputs, lock=lock)


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
