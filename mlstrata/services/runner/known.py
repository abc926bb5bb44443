"""What is known of a training before it runs: the version that the same data, code and settings made already."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlstrata.clients.mlflow import Registry
    from mlstrata.services.runner.contract import TrainingRequest


def known(request: TrainingRequest, registry: Registry, *, sealed: bool = False) -> tuple[str, str | None]:
    """Look a training up.

    Args:
        request: What would be trained.
        registry: Where its versions are.
        sealed: Only a version with a seal counts.

    Returns:
        The training's fingerprint; the version that bears it, None where there is none.

    Raises:
        StepError: The data cannot be read from here.
        RegistryError: MLflow does not answer.
    """
    from mlstrata_steps.source import source_stamp
    from mlstrata_steps.versioning import fingerprint

    mark = fingerprint(request.recipe(), source_stamp(request.source, request.endpoint))
    return mark, registry.version_with(request.system, mark, sealed=sealed)
