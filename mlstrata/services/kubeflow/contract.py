"""What a training on Kubeflow Pipelines is asked for with."""

from __future__ import annotations

from pydantic import Field

from mlstrata.closed import Closed
from mlstrata.services.runner.contract import TrainingRequest


class KubeflowTraining(Closed):
    """One training."""

    request: TrainingRequest = Field(description="What is trained; its addresses are those inside the cluster.")
    url: str = Field(pattern=r"^https?://", description="Kubeflow Pipelines, as this machine reaches it.")
    registry: str = Field(pattern=r"^https?://", description="MLflow, as this machine reaches it.")
    image: str = Field(description="Image of the steps.")
    secret: str = Field(description="Secret with the registry's password, in the namespace of the steps.")
    labels: dict[str, str] = Field(description="Labels of the steps' pods.")
    namespace: str = Field(default="", description="Of a profile; empty where Kubeflow serves one only.")
    schedule: str | None = Field(default=None, description="Cron of five fields, UTC; none: no recurring run.")
    if_needed: bool = Field(default=False, description="Run nothing where a version has these data, code and settings.")
    patience_s: float = Field(default=60.0, ge=0, description="Seconds that a Kubeflow that is away is waited for.")
    poll_s: float = Field(default=2.0, gt=0, description="Seconds between two looks at the run.")
