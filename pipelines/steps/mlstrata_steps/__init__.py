"""Steps of a training pipeline as plain functions, one module a step.

Every step takes paths and plain values, writes files where it is told and returns a small frozen dataclass, so the same
functions run inside Kubeflow Pipelines, under another orchestrator or in a notebook. At module level the steps import
only the standard library: reading a step's signature costs nothing.
"""

from mlstrata_steps.outcome import StepError, StepRefused

__version__ = "0.2.0"

__all__ = ["StepError", "StepRefused", "__version__"]
