"""What each step of a pipeline asks of a machine, and how often it is tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

ACCELERATOR = "nvidia.com/gpu"


@dataclass(frozen=True)
class Resources:
    """One step's needs.

    Attributes:
        cpu: Processors, in Kubernetes' notation.
        memory: Memory, in Kubernetes' notation.
        retries: Further tries after a failure: for what touches disks, networks and nodes that go away. A step that
            only judges gets none, because its answer would not change.
        cached: Whether the same inputs may reuse the step's outputs.
        accelerated: Whether the run's accelerators are for this step.
    """

    cpu: str
    memory: str
    retries: int = 0
    cached: bool = True
    accelerated: bool = False

    @property
    def threads(self) -> int:
        """Threads that its processors can run at once; a share of one still runs one."""
        cpu = self.cpu
        return max(1, int(cpu.removesuffix("m")) // 1000) if cpu.endswith("m") else int(cpu)


OWN = Resources("1", "2Gi")
"""What a step of somebody's own asks for."""

TRAINING: Mapping[str, Resources] = MappingProxyType(
    {
        # Always runs: whether the source has changed is what it is there to say.
        "ingest": Resources("1", "2Gi", retries=2, cached=False),
        "privacy": Resources("1", "2Gi"),
        "quality": Resources("1", "2Gi"),
        "split": Resources("1", "2Gi", retries=1),
        "leakage": Resources("1", "2Gi"),
        # A processor a trial; each trial keeps its own result, so what a lost node had done is not done again.
        "tune": Resources("2", "4Gi", retries=1),
        "train": Resources("2", "4Gi", retries=1, accelerated=True),
        "bring": Resources("1", "2Gi", retries=1, cached=False),
        "evaluate": Resources("1", "2Gi", retries=1),
        "signal": Resources("2", "4Gi"),
        "fairness": Resources("1", "2Gi"),
        "plausibility": Resources("1", "2Gi"),
        "gates": Resources("500m", "512Mi"),
        "package": Resources("1", "2Gi", retries=1),
        "served": Resources("1", "2Gi"),
        # Always runs: another version may be the champion by now.
        "compare": Resources("1", "2Gi", retries=2, cached=False),
        # Always runs: the registry may have lost or gained versions since.
        "register": Resources("1", "2Gi", retries=2, cached=False),
    }
)
"""The training pipeline's steps in the order they run."""
