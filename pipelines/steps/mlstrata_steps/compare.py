"""A step before registration: is the new model better than a baseline, and than the champion, on the same rows?

Both are asked about the very same test rows, and the differences get paired bootstrap intervals: what is hard about a
row is hard for both, so their difference is known better than either metric.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata_steps.apart import Apart, OwnCodeError
from mlstrata_steps.columns import Columns, feature_frame
from mlstrata_steps.estimator import load
from mlstrata_steps.intervals import differences
from mlstrata_steps.outcome import Check, StepError, report_of
from mlstrata_steps.own_metrics import metrics_of
from mlstrata_steps.rules import parsed
from mlstrata_steps.seal import DIGEST, folder_digest, is_sealed, key
from mlstrata_steps.several import alone, part_of, rules_of, together
from mlstrata_steps.tables import read_table
from mlstrata_steps.tasks import Metric, Output, named_metric, task_of
from mlstrata_steps.tasks.metrics import METRICS
from mlstrata_steps.tasks.several_outputs import Answers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlstrata_steps.tasks.base import Labels, Said

CHAMPION = "champion"


@dataclass(frozen=True)
class ComparisonRules:
    """What a comparison may stop.

    Attributes:
        metric: What is judged, one of the task's metrics; empty: its headline.
        enforce: Whether a model that is clearly worse than the champion (its whole interval says so) is refused. Off:
            a person who releases sees it and decides.
    """

    metric: str = ""
    enforce: bool = False

    @classmethod
    def parse(cls, document: Mapping[str, object]) -> ComparisonRules:
        """Read rules from plain JSON values.

        Raises:
            StepError: A rule is unknown or out of range.
        """
        rules = parsed(cls, "comparison", document)
        if rules.metric and rules.metric not in METRICS:
            raise StepError(f"comparison.metric: got {rules.metric!r}; allowed {', '.join(METRICS)}")
        return rules


def compare(
    test: str,
    model: str,
    columns: Mapping[str, object],
    *,
    answers: Mapping[str, object],
    system: str,
    tracking_uri: str,
    rules: Mapping[str, object],
    settings: Mapping[str, object] | None = None,
    data_version: str = "",
    seed: int = 0,
) -> dict[str, object]:
    """Compare a model with the base rate and with the registry's champion on the test rows.

    Args:
        test: The test rows.
        model: The model that `train` wrote.
        columns: The roles of the columns (`Columns`).
        answers: What training saw (`train.Trained`): the baseline.
        system: Name of the registered model.
        tracking_uri: Address of MLflow.
        rules: What may stop (`ComparisonRules`).
        settings: The run's settings, of which `seed` and `test_fraction` say whether the champion was kept from these
            rows.
        data_version: Of the run's data.
        seed: Of the bootstrap.

    Returns:
        A gate's report (`outcome.report_of`) with `baseline` and `champion`: the other's metrics and each difference
        (`value`, `low`, `high`; new model minus other). `champion` is empty where there is none or it cannot be asked.

    Raises:
        StepError: A rule is malformed, or MLflow does not answer.
    """
    if each := alone(columns):
        return together(
            {
                name: compare(
                    test,
                    model,
                    one,
                    answers=part_of(answers, name),
                    system=system,
                    tracking_uri=tracking_uri,
                    rules=rules_of(rules, name),
                    settings=settings,
                    data_version=data_version,
                    seed=seed,
                )
                for name, one in each.items()
            }
        )
    limits, roles, table = ComparisonRules.parse(rules), Columns.parse(columns), read_table(test)
    pipeline, task = load(model, roles.output), task_of(roles, table)
    metric = named_metric(task, limits.metric, "comparison.metric")
    features = feature_frame(table, [str(name) for name in pipeline.feature_names_in_])
    labels, own = task.labels(table[roles.target]), task.ask(pipeline, features)
    every, strata = metrics_of(task, roles, table), task.resampled(labels)
    constants = {one: task.constant(answers, len(labels), one) for one in every}
    baseline = _against(every, labels, own, constants, strata, seed)
    name = metric.name
    if name not in baseline["metrics"]:
        raise StepError(f"comparison.metric: {name} is not defined for these rows")
    headline = f"{name} {_difference(baseline, name)} to the base rate"
    checks, champion = [], dict[str, Any]()
    version, given, note = _champion(test, roles, system, tracking_uri)
    if given is None:
        headline += f"; {note}"
    else:
        champion = _against(every, labels, own, dict.fromkeys(every, given), strata, seed) | {"version": version}
        apart = _kept_apart(system, str(version), settings or {}, data_version, tracking_uri)
        champion["kept_from_these_rows"] = apart
        shown = f"{name} {_difference(champion, name)} to champion {version} on the same {len(labels)} rows"
        shown += "" if apart else ", some of which it may have been trained on"
        difference = champion["difference"][name]
        worse = metric.clearly_worse(difference["low"], difference["high"])
        checks.append(Check(f"not worse than version {version}", not worse, shown, warns=not limits.enforce))
        headline += f"; {shown}"
    numbers = {f"against_baseline_{metric}": found["value"] for metric, found in baseline["difference"].items()}
    if champion:
        numbers |= {f"against_champion_{metric}": found["value"] for metric, found in champion["difference"].items()}
    return report_of(checks, numbers, headline=headline, baseline=baseline, champion=champion, rows=len(labels))


def _against(  # noqa: PLR0917 - one call a side, from the function above it
    every: Mapping[str, Metric],
    labels: Labels,
    ours: Said,
    others: Mapping[str, Said],
    strata: NDArray[np.int64],
    seed: int,
) -> dict[str, Any]:
    """Compare with what another says, which for a baseline depends on the metric."""
    metrics = {name: metric(labels, others[name]) for name, metric in every.items()}
    metrics = {name: value for name, value in metrics.items() if not math.isnan(value)}
    measurable = {name: every[name] for name in metrics}
    found = differences(measurable, labels, ours, others, strata, seed=seed)
    return {"metrics": metrics, "difference": {name: asdict(one) for name, one in found.items()}}


def _champion(test: str, roles: Columns, system: str, tracking_uri: str) -> tuple[str | None, Said | None, str]:
    """Ask the champion about the rows: its version, what it says or None, and why it says nothing."""
    import mlflow
    from mlflow.exceptions import MlflowException

    mlflow.set_tracking_uri(tracking_uri)
    try:
        version = _version(system)
        if version is None:
            return None, None, "no champion yet"
        if (files := _files(system, version)) is None:
            return version, None, f"champion {version} bears no seal of this environment: not compared"
    except MlflowException as error:
        raise StepError(f"MLflow at {tracking_uri} refused: {error.message}") from error
    try:
        # Code that it brings is that of its version, and what this process has imported is the new one's.
        apart = _brings_code(files)
        given = (
            Apart(f"{__name__}:Champion", files).ask("say", test, roles) if apart else Champion(files).say(test, roles)
        )
    except (OwnCodeError, StepError, MlflowException, ValueError, TypeError) as error:
        return version, None, f"champion {version} cannot answer these rows: {str(error).splitlines()[0][:200]}"
    return version, given, ""


class Champion:
    """A packaged model with the code that it brings."""

    def __init__(self, files: str) -> None:
        """Load it."""
        import mlflow

        self._model = mlflow.pyfunc.load_model(files)

    def say(self, test: str, roles: Columns) -> Said:
        """Return what it says of the test rows.

        Raises:
            StepError: They lack a column that it takes, or it gives no answer of the task.
        """
        from mlflow.types import DataType
        from pandas.api.types import is_integer_dtype

        table, signature = read_table(test), self._model.metadata.signature
        names = signature.inputs.input_names() if signature is not None else []
        missing = [name for name in names if name not in table.columns]
        if missing or not names:
            raise StepError(f"it needs {', '.join(missing) or 'columns that it does not name'}")
        frame = feature_frame(table, names)
        # A column that has gaps among the training rows alone is one of integers here; MLflow widens none by itself.
        doubles = [one.name for one in signature.inputs if one.type is DataType.double]
        whole = {name: "float64" for name in doubles if is_integer_dtype(frame[name])}
        given = self._model.predict(frame.astype(whole))
        output = Output.of(self._model.metadata.metadata)
        if roles.output and isinstance(output, Answers):
            if roles.output not in output.each:
                raise ValueError(f"it answers {', '.join(output.each)}, and not {roles.output}")
            given = output.parts(output.read(given, len(frame)))[roles.output]
            output = output.each[roles.output]
        return task_of(roles, table).given(output, given)


def _brings_code(files: str) -> bool:
    """Whether a packaged model has code beside that of the steps."""
    ours = __name__.partition(".")[0]
    return any(one.name != ours for one in (Path(files) / "code").glob("*"))


def _files(system: str, version: str) -> str | None:
    """Return where the champion's files are; None where they are not what this environment sealed.

    Loading a model runs what it names, and an alias is for whoever has the registry's password to move.
    """
    import mlflow

    if not key():
        return str(mlflow.artifacts.download_artifacts(f"models:/{system}/{version}"))
    client = mlflow.MlflowClient()
    found = client.get_model_version(system, version)
    if not is_sealed(client, system, found):
        return None
    folder = str(mlflow.artifacts.download_artifacts(f"runs:/{found.run_id}/model"))
    return folder if folder_digest(folder) == found.tags.get(DIGEST) else None


def _version(system: str) -> str | None:
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        return str(mlflow.MlflowClient().get_model_version_by_alias(system, CHAMPION).version)
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise


def _kept_apart(
    system: str, version: str, settings: Mapping[str, object], data_version: str, tracking_uri: str
) -> bool:
    """Say whether the champion was tested on these very rows too: the same data, split by the same seed and share."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri)
    found = client.get_model_version(system, version)
    if found.tags.get("data_version") != data_version or not found.run_id:
        return False
    used = client.get_run(found.run_id).data.params
    return all(used.get(name) == str(settings.get(name)) for name in ("seed", "test_fraction"))


def _difference(against: Mapping[str, Any], metric: str) -> str:
    found = against["difference"][metric]
    return f"{found['value']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"
