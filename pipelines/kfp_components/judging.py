"""The gates of a model: what it learned, whom it treats how, whether it makes sense, what is better."""
# mypy: disable-error-code="untyped-decorator,type-arg,valid-type,no-any-return"
# Kubeflow's decorators have no types, and its annotations are values.
# ruff: noqa: PLR0917 - Kubeflow passes a component's inputs by name
# Kubeflow reads the annotations of components as objects: no `from __future__ import annotations` here.

from kfp import dsl

from mlstrata.pipelines.kfp_components.base import component


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
    answers: dict,
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
        answers=answers,
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
def compare(
    testing: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    columns: dict,
    answers: dict,
    system: str,
    tracking_uri: str,
    rules: str,
    settings: str,
    data_version: str,
    seed: int,
    report: dsl.Output[dsl.Artifact],
) -> dict:
    """Compare with a constant answer and with the champion on the same rows; enforced, a worse model ends the run."""
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
        answers=answers,
        system=system,
        tracking_uri=tracking_uri,
        rules=json.loads(rules),
        settings=json.loads(settings),
        data_version=data_version,
        seed=seed,
    )
