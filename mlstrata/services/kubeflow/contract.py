"""What a training on Kubeflow Pipelines is asked for with."""

from __future__ import annotations

from pydantic import Field

from mlstrata.closed import Closed
from mlstrata.services.runner.contract import TrainingRequest


class Reading(Closed):
    """How the step `ingest` reaches a bucket."""

    variables: dict[str, str] = Field(default_factory=dict, description="Its variables; none is secret.")
    secrets: dict[str, tuple[str, str]] = Field(
        default_factory=dict, description="Variable to the name of a secret in the steps' namespace, and a key in it."
    )


class KubeflowTraining(Closed):
    """One training."""

    request: TrainingRequest = Field(description="What is trained; its addresses are those inside the cluster.")
    url: str = Field(pattern=r"^https?://", description="Kubeflow Pipelines, as this machine reaches it.")
    registry: str = Field(pattern=r"^https?://", description="MLflow, as this machine reaches it.")
    image: str = Field(description="Image of the steps.")
    pull_secret: str = Field(default="", description="Secret with which their pods pull it; empty: none.")
    secret: str = Field(description="Secret with the registry's password, in the namespace of the steps.")
    labels: dict[str, str] = Field(description="Labels of the steps' pods.")
    data: Reading = Field(default_factory=Reading, description="What the step that reads the data is told besides.")
    namespace: str = Field(default="", description="Of a profile; empty where Kubeflow serves one only.")
    schedule: str | None = Field(default=None, description="Cron of five fields, UTC; none: no recurring run.")
    if_needed: bool = Field(default=False, description="Run nothing where a version has these data, code and settings.")
    patience_s: float = Field(default=60.0, ge=0, description="Seconds that a Kubeflow that is away is waited for.")
    poll_s: float = Field(default=2.0, gt=0, description="Seconds between two looks at the run.")
