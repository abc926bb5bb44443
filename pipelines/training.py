"""The training pipeline: a model is made between gates, and the registry sees it only when it has passed them all.

ingest · privacy, quality · split · leakage · tune · train · evaluate · signal, fairness, plausibility · gates ·
package · served · compare · register. A gate writes its report, ends the run when it refuses, and is never tried again:
its answer would not change.

A step's environment names the version of the code of `mlstrata_steps`, so caching, whose keys hold the environment,
never serves the work of older code.
"""
# mypy: disable-error-code="untyped-decorator,type-arg,valid-type,no-any-return"
# Kubeflow's decorators have no types, and its annotations are values.
# ruff: noqa: PLR0917 - Kubeflow passes a pipeline's inputs by name
# Kubeflow reads the annotations of pipelines as objects: no `from __future__ import annotations` here.

from collections.abc import Callable
from typing import Any

from kfp import dsl

from mlstrata.pipelines.kfp_components.data import ingest, leakage, privacy, quality, split
from mlstrata.pipelines.kfp_components.delivery import package, register, served
from mlstrata.pipelines.kfp_components.fitting import bring, evaluate, train, tune
from mlstrata.pipelines.kfp_components.judging import compare, fairness, gates, plausibility, signal
from mlstrata.pipelines.resources import ACCELERATOR, OWN, TRAINING
from mlstrata_steps.brought import not_asked
from mlstrata_steps.versioning import code_version


def training_pipeline(
    gpus: int = 0, *, name: str = "training", prepare: Callable[..., Any] | None = None, elsewhere: bool = False
) -> Callable[..., Any]:
    """Build the pipeline.

    Args:
        gpus: Accelerators for training; none by default, since its models use none.
        name: What it is called in the registry of pipelines.
        prepare: A step of your own between reading and judging the data: a component whose input `data` and output
            `prepared` are datasets, tables as parquet. It is cached by its inputs and its source.
        elsewhere: Judge a model that was trained elsewhere: all rows are for its evaluation, none trains.
    """

    def asking(task: dsl.PipelineTask) -> dsl.PipelineTask:
        needs = TRAINING.get(task.name, OWN)
        task.set_cpu_request(needs.cpu).set_cpu_limit(needs.cpu)
        task.set_memory_request(needs.memory).set_memory_limit(needs.memory)
        task.set_accelerator_type(ACCELERATOR).set_accelerator_limit(gpus if needs.accelerated else 0)
        task.set_env_variable("MLSTRATA_STEPS", code_version())
        # OpenMP counts the node's processors, not the step's; and its threads burn what they got while they wait: with
        # the processors shared, boosting took 8 s in place of 0.3 s.
        task.set_env_variable("OMP_NUM_THREADS", str(needs.threads)).set_env_variable("OMP_WAIT_POLICY", "PASSIVE")
        task.set_retry(num_retries=needs.retries, backoff_duration="1s", backoff_factor=2.0)
        return task.set_caching_options(needs.cached)

    @dsl.pipeline(name=name, description="Train, judge and register one model of an AI system.")
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
        search_rules: str,
        mitigation_rules: str,
        comparison_rules: str,
        trials: str,
        lock: str,
        lock_hash: str,
        server: str,
        commit: str,
        kpis: list,
        settings: str,
        lineage: dict,
        tracking_uri: str,
        seed: int = 0,
        workers: int = 1,
        test_fraction: float = 0.25,
        reading: str = "{}",
        model_file: str = "",
        model_digest: str = "",
    ) -> str:
        ingested = asking(ingest(source=source, store=store, reading=reading))
        snapshot = data = ingested.outputs["data"]
        if prepare is not None:
            data = asking(prepare(data=snapshot)).outputs["prepared"]
        scanned = asking(privacy(data=data, columns=columns, declared=declared, rules=privacy_rules))
        checked = asking(quality(data=data, columns=columns, rules=quality_rules).after(scanned))
        chosen: Any = "{}"
        leaked: Any = not_asked()
        if elsewhere:
            training_rows = test_rows = data
            trained = tuned = asking(
                bring(testing=data, columns=columns, file=model_file, digest=model_digest).after(checked)
            )
        else:
            sides = asking(split(data=data, columns=columns, seed=seed, test_fraction=test_fraction).after(checked))
            training_rows, test_rows = sides.outputs["training"], sides.outputs["testing"]
            searched = asking(
                leakage(training=training_rows, testing=test_rows, columns=columns, rules=leakage_rules, seed=seed)
            )
            leaked = searched.outputs["Output"]
            tuned = asking(
                tune(
                    training=training_rows,
                    columns=columns,
                    algorithm=algorithm,
                    parameters=parameters,
                    rules=search_rules,
                    mitigation=mitigation_rules,
                    seed=seed,
                    store=trials,
                ).after(searched)
            )
            chosen = tuned.outputs["Output"]
            trained = asking(
                train(
                    training=training_rows,
                    columns=columns,
                    algorithm=algorithm,
                    parameters=chosen,
                    mitigation=mitigation_rules,
                    seed=seed,
                    workers=workers,
                )
            )
        fitted, answers = trained.outputs["model"], trained.outputs["Output"]
        evaluated = asking(
            evaluate(
                testing=test_rows,
                model=fitted,
                columns=columns,
                answers=answers,
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
                parameters=chosen,
                seed=seed,
            )
        )
        # Fairness and plausibility of a model that knows nothing say nothing: they come after.
        grouped = asking(
            fairness(testing=test_rows, model=fitted, columns=columns, rules=fairness_rules, seed=seed).after(compared)
        )
        tried = asking(
            plausibility(
                testing=test_rows, model=fitted, columns=columns, answers=answers, rules=plausibility_rules, seed=seed
            ).after(compared)
        )
        judged = asking(
            gates(
                evaluation=evaluation,
                kpis=kpis,
                privacy=scanned.outputs["Output"],
                leakage=leaked,
                signal=compared.outputs["Output"],
                fairness=grouped.outputs["Output"],
                plausibility=tried.outputs["Output"],
            )
        )
        made = asking(
            package(
                model=fitted,
                training=training_rows,
                testing=test_rows,
                columns=columns,
                evaluation=evaluation,
                lock=lock,
                lock_hash=lock_hash,
                data_version=ingested.outputs["data_version"],
                commit=commit,
                reading=reading,
            ).after(judged)
        )
        packaged = made.outputs["packaged"]
        answered = asking(
            served(packaged=packaged, testing=test_rows, model=fitted, columns=columns, server=server, lock=lock)
        )
        weighed = asking(
            compare(
                testing=test_rows,
                model=fitted,
                columns=columns,
                answers=answers,
                system=system,
                tracking_uri=tracking_uri,
                rules=comparison_rules,
                settings=settings,
                data_version=ingested.outputs["data_version"],
                seed=seed,
            ).after(answered)
        )
        registered = asking(
            register(
                system=system,
                model=fitted,
                packaged=packaged,
                tuned=tuned.outputs["report"],
                served=answered.outputs["Output"],
                comparison=weighed.outputs["Output"],
                training=training_rows,
                data=snapshot,
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
