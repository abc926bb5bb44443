"""The steps that have rows: read, looked at, divided."""
# mypy: disable-error-code="untyped-decorator,type-arg,valid-type,no-any-return"
# Kubeflow's decorators have no types, and its annotations are values.
# ruff: noqa: PLR0917 - Kubeflow passes a component's inputs by name
# Kubeflow reads the annotations of components as objects: no `from __future__ import annotations` here.

from typing import NamedTuple

from kfp import dsl

from mlstrata.pipelines.kfp_components.base import component


@component
def ingest(source: str, store: str, data: dsl.Output[dsl.Dataset], reading: str = "{}") -> NamedTuple(
    "Outputs", [("data_version", str), ("rows", int), ("stamp", str)]
):
    """Read the source; its snapshot in the store is the artifact."""
    import json
    import shutil

    from mlstrata_steps.ingest import ingest as run
    from mlstrata_steps.outcome import reporting

    with reporting("ingest"):
        found = run(source, store or f"{data.path}.snapshots", **json.loads(reading))
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
    columns: dict,
    seed: int,
    test_fraction: float,
    training: dsl.Output[dsl.Dataset],
    testing: dsl.Output[dsl.Dataset],
) -> NamedTuple("Outputs", [("train_rows", int), ("test_rows", int)]):
    """Write training and test rows."""
    from mlstrata_steps.outcome import reporting
    from mlstrata_steps.split import split as run

    with reporting("split"):
        sides = run(data.path, training.path, testing.path, columns, seed=seed, test_fraction=test_fraction)
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
