"""Names that the monitor and whoever reads it share: its files, and the metrics that alert rules ask about."""

from __future__ import annotations

from collections.abc import Mapping

from mlstrata.services.http import token_file
from mlstrata.services.monitor.verdict import Watch

SERVICE = "monitor"
CONFIG = f"config/{SERVICE}"
DECLARED_FILE = f"{CONFIG}/declared.json"
TOKEN_FILE = token_file(SERVICE)
WORKDIR = f"data/{SERVICE}"
TOKEN = "MLSTRATA_MONITOR_TOKEN"  # noqa: S105 - a variable's name
"""On a cluster: variable with the token of whoever reads verdicts."""

VALUES: Mapping[Watch, str] = {
    Watch.INPUT_DRIFT: "mlstrata_drift_psi",
    Watch.OUTPUT_DRIFT: "mlstrata_output_drift_psi",
    Watch.PERFORMANCE: "mlstrata_performance",
    Watch.FAIRNESS: "mlstrata_fairness_gap",
    Watch.QUALITY: "mlstrata_quality_share",
    Watch.SERVICE: "mlstrata_service_measured",
    Watch.ESTIMATE: "mlstrata_performance_estimated",
}
"""What was measured, by what is watched."""
FOUND = "mlstrata_monitor_found"
"""1 where a finding is certain and beyond its limit, else 0."""
LIMIT = "mlstrata_monitor_limit"
ROWS, TRUTHS = "mlstrata_monitor_rows", "mlstrata_monitor_truths"
FAILED = "mlstrata_monitor_blind"
"""1 where a system that answers cannot be watched."""
ROUND = "mlstrata_monitor_round_timestamp_seconds"
WORSE = 0.05
"""By how much a share of missing, unseen or implausible values may rise: less hardly moves what a model is worth."""
