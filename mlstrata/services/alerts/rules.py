"""Alert rules: availability, errors, latency and resources; each names system, owner, severity and summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import yaml

from mlstrata.environments.spec.quantities import format_duration
from mlstrata.services.alerts.settings import PLATFORM, ServiceLevel, Severity, Watched
from mlstrata.services.exporter.names import PRUNED
from mlstrata.services.gateway.names import ARCHIVED
from mlstrata.services.monitor import names as monitor
from mlstrata.services.recording import names as recorder
from mlstrata.services.retraining import names as learning

REQUESTS, LATENCY = "mlstrata_predict_requests_total", "mlstrata_predict_seconds"
"""What the prediction processes count, by system, version and status code (services/serving/metrics.py)."""
REFUSED = "mlstrata_predict_refused_total"
"""Those of them that were not computed since more came than could be; each is among the requests, too, as a 503."""
_FAILED = ', code=~"5.."'
_CERTIFICATE_DAYS = 14
"""Half of what `up` renews it within: whoever runs it now and then never hears of it."""
TRAINING_FAILED, SCORING_FAILED = "mlstrata_runner_scheduled_run_failed", "mlstrata_batch_job_failed"
"""1 while the newest training, or scoring, of a system that a schedule started failed."""
_BY_THE_CLOCK = {TRAINING_FAILED: ("TrainingFailed", "training"), SCORING_FAILED: ("ScoringFailed", "scoring")}
CERTIFICATE_ENDS = "envoy_listener_ssl_certificate_expiration_unix_time_seconds"
"""Envoy's own metric of the certificate that it shows."""
MISSING, RECORDED = "mlstrata_recorder_missing", "mlstrata_recorder_records"
"""What the recorder gives: answers that are not recorded, and records ever, by system (services/recording/metrics.py).
Of the second, a counter, Prometheus' name ends in `_total`."""
DAMAGED = "mlstrata_spill_damaged"
"""Records that the disk changed before they were sent, by system (services/serving/metrics.py)."""
MIN_REQUESTS = 10
"""Below so many requests in five minutes one error is an anecdote, not a ratio."""
# Error-budget burn (The Site Reliability Workbook, chapter 5): a long window says that it matters, a short one that it
# is still going on; 14.4 spends 2 % of a month's budget in an hour, 6 spends 5 % in six hours.
BURNS: tuple[tuple[str, str, str, float, Severity], ...] = (
    ("Fast", "5m", "1h", 14.4, "critical"),
    ("Slow", "30m", "6h", 6.0, "warning"),
)


@dataclass(frozen=True)
class Subject:
    """Whose alerts these are and who is told."""

    system: str
    owner: str

    def rule(self, alert: str, expression: str, lasting: str, severity: Severity, *, summary: str) -> dict[str, Any]:
        """Return an alerting rule; `lasting` is how long its expression must hold, such as `5m`."""
        return {
            "alert": alert,
            "expr": expression,
            "for": lasting,
            "labels": {"severity": severity, "system": self.system, "owner": self.owner},
            "annotations": {"summary": summary},
        }


@dataclass(frozen=True)
class Round:
    """Rounds of a service (`services.rounds`), and when somebody hears that they stand.

    Attributes:
        metric: When the last whole round ended, in seconds since 1970.
        alert: Name of the alert.
        seconds: How long ago that may be: several rounds, and the longest that one may take.
        not_done: What is not done then.
    """

    metric: str
    alert: str
    seconds: int
    not_done: str


ROUNDS: Mapping[str, tuple[Round, ...]] = {
    "monitor": (Round(monitor.ROUND, "MonitorStands", 600, "no system is judged"),),
    "learning": (
        Round(learning.ROUND, "LearningStands", 600, "a rollout stays where it is, and no training is started"),
    ),
    "recorder": (
        Round(recorder.LOOKED, "RecordsNotCompared", 600, "nobody knows whether all answers are recorded"),
        Round(recorder.ADOPTED, "SpillsNotAdopted", 3600, "what ended processes left is not recorded"),
        Round(recorder.PRUNED, "RecordsNotPruned", 86_400, "records are kept longer than the file says"),
    ),
    "resources": (Round(PRUNED, "NotPruned", 86_400, "what has been kept long enough is not removed"),),
    "gateway-upkeep": (Round(ARCHIVED, "AccessLogNotArchived", 3600, "the gateway's log grows"),),
}
"""By what runs them, all rounds that there are."""


def rounds_rules(service: str, owner: str) -> list[dict[str, Any]]:
    """Return the rules about the rounds of a service: a process that answers may do nothing else any more."""
    where = "resources" if service == "gateway-upkeep" else service
    found = []
    for one in ROUNDS[service]:
        ago = format_duration(timedelta(seconds=one.seconds))
        summary = f"{where} has made no whole round for {ago}: {one.not_done}; its log says why"
        stands = f"time() - {one.metric} > {one.seconds}"
        found.append(Subject(PLATFORM, owner).rule(one.alert, stands, "5m", "warning", summary=summary))
    return found


def service_rounds(service: str, owner: str) -> str:
    """Return the file of the rules about the rounds of a service."""
    return _text(f"{service}-rounds", rounds_rules(service, owner))


def machine_rules(owner: str) -> str:
    """Return the rules about the machine: disk and memory, and that what has been kept long enough goes."""
    rule = Subject(PLATFORM, owner).rule
    free = "mlstrata_disk_free_bytes / mlstrata_disk_size_bytes"
    fills = f"{free} < 0.5 and predict_linear(mlstrata_disk_free_bytes[1h], 4 * 3600) < 0"
    memory = "mlstrata_memory_available_bytes / mlstrata_memory_total_bytes"
    return _text(
        "machine",
        [
            rule("DiskNearlyFull", f"{free} < 0.1", "5m", "critical", summary="less than 10 % of the disk is free"),
            rule("DiskFillsUp", fills, "10m", "warning", summary="at this pace the disk is full within four hours"),
            *rounds_rules("resources", owner),
            rule("MemoryNearlyFull", f"{memory} < 0.1", "5m", "critical", summary="under 10 % of the memory is free"),
        ],
    )


def upkeep_rules(owner: str) -> str:
    """Return the rules about what the gateway needs done for it: its log archived, its certificate renewed."""
    rule = Subject(PLATFORM, owner).rule
    ends = f"{CERTIFICATE_ENDS} - time() < {_CERTIFICATE_DAYS * 86400}"
    certificate = f"the gateway's certificate ends in under {_CERTIFICATE_DAYS} days; `mlstrata up` renews it"
    return _text(
        "gateway-upkeep",
        [
            # It tells who asked what, and grows until it is archived.
            *rounds_rules("gateway-upkeep", owner),
            rule("CertificateEnds", ends, "5m", "critical", summary=certificate),
        ],
    )


def service_rules(watched: Watched) -> str:
    """Return the rules about one service: down, restarting, processor, memory."""
    name, rule = watched.service, Subject(watched.system, watched.owner).rule
    at = f'{{service="{name}"}}'
    restarts = f"changes(mlstrata_service_start_time_seconds{at}[10m]) > 3"
    busy = f"sum(rate(mlstrata_service_cpu_seconds_total{at}[5m])) > 0.9 * sum(mlstrata_cpus)"
    total = f"{watched.memory_ratio:g} * sum(mlstrata_memory_total_bytes)"
    memory = f"sum(mlstrata_service_resident_bytes{at}) > {total}"
    share = f"{watched.memory_ratio * 100:g} %"
    return _text(
        name,
        [
            rule("ServiceDown", f'up{{job="{name}"}} == 0', "30s", "critical", summary=f"{name} does not answer"),
            rule("ServiceRestarts", restarts, "0s", "warning", summary=f"{name} restarted over 3 times in 10 minutes"),
            rule("ServiceBusy", busy, "10m", "warning", summary=f"{name} takes over 90 % of the processors"),
            rule("ServiceMemory", memory, "5m", "warning", summary=f"{name} holds over {share} of the memory"),
        ],
    )


def recorder_rules(owners: Mapping[str, str], *, compared: bool = True) -> str:
    """Return the rules about what is recorded: nothing of what is answered may be missing.

    Args:
        owners: System to who is told.
        compared: Whether the recorder compares the gateway's log with what it has.
    """
    rules = []
    for system, owner in owners.items():
        rule = Subject(system, owner).rule
        at = f'{{system="{system}"}}'
        missing = f"{system}: answers are not recorded; `mlstrata status` names what is down, the spill keeps them"
        if compared:
            rules.append(rule("RecordsMissing", f"{MISSING}{at} > 0", "1m", "critical", summary=missing))
        # Of a store that takes nothing at all, the recorder's own look at the gateway's log may stand still as well.
        recorded = f"sum(increase({RECORDED}_total{at}[5m]))"
        still = f"{_requests(system, '5m')} >= {MIN_REQUESTS} and ({recorded} or vector(0)) == 0"
        summary = f"{system} is asked, and for five minutes nothing was recorded"
        rules.append(rule("NothingRecorded", still, "2m", "critical", summary=summary))
        # Counted by a process since it began: it may have ended since.
        damaged = f"max_over_time({DAMAGED}{at}[1h]) > 0"
        summary = f"{system}: the disk changed records before they were sent; its log says which, and they are lost"
        rules.append(rule("RecordsDamaged", damaged, "0s", "critical", summary=summary))
    return _text("-".join(["recorded", *owners]), rules)


def schedule_rules(owners: Mapping[str, str], metric: str) -> str:
    """Return the rules about what systems have done by the clock: nobody sees it fail.

    Args:
        owners: System to who is told.
        metric: One of `TRAINING_FAILED` and `SCORING_FAILED`.
    """
    alert, what = _BY_THE_CLOCK[metric]
    rules = []
    for system, owner in owners.items():
        failed, summary = f'{metric}{{system="{system}"}} == 1', f"{system}: the last {what} by schedule failed"
        rules.append(Subject(system, owner).rule(alert, failed, "0s", "warning", summary=summary))
    return _text(f"{what}-schedules", rules)


def learning_rules(owners: Mapping[str, str]) -> str:
    """Return the rules about systems that learn again by themselves: where a person has to look.

    Args:
        owners: System to who is told.
    """
    rules = []
    for system, owner in owners.items():
        at, rule = f'{{system="{system}"}}', Subject(system, owner).rule
        stopped = f"{system} learns no more by itself: too many models in a row were not released"
        failed = f"{system}: the last retraining gave no model that was released"
        waits = f"{system}: a new version waits for over an hour, such as for its approval"
        rules += [
            rule("LearningStopped", f"{learning.STOPPED}{at} == 1", "0s", "critical", summary=stopped),
            rule("RetrainingUnreleased", f"{learning.UNRELEASED}{at} == 1", "0s", "warning", summary=failed),
            rule("RolloutWaits", f"time() - {learning.ROLLING}{at} > 3600", "1m", "warning", summary=waits),
        ]
    return _text("learning", rules)


def system_rules(service_level: ServiceLevel) -> str:
    """Return the file of the rules about what a system's consumers see."""
    return _dumped(system_groups(service_level))


def system_groups(service_level: ServiceLevel) -> list[dict[str, Any]]:
    """Return the rules about what a system's consumers see: errors and latency against their objectives."""
    name, rule = service_level.system, Subject(service_level.system, service_level.owner).rule
    # An objective of 100 % leaves no budget to burn: then one error in ten thousand counts.
    budget = max((100 - service_level.availability) / 100, 1e-4)
    enough = f"{_requests(name, '5m')} >= {MIN_REQUESTS}"
    rules = []
    for speed, short, long, factor, severity in BURNS:
        burning = [f"{_ratio(name, window)} > {factor * budget:g}" for window in (short, long)]
        summary = (
            f"{name} fails {factor:g} times as often as its availability of {service_level.availability:g} % allows"
        )
        rules.append(rule(f"SystemErrors{speed}", " and ".join([*burning, enough]), "1m", severity, summary=summary))
    quantile = f'histogram_quantile(0.99, sum by (le) (rate({LATENCY}_bucket{{system="{name}"}}[5m])))'
    late = f"{quantile} > {service_level.p99_seconds:g} and {enough}"
    objective = f"{service_level.p99_seconds * 1000:g} ms"
    rules.append(rule("SystemSlow", late, "2m", "warning", summary=f"{name}: 1 answer in 100 takes over {objective}"))
    refused = f'sum(increase({REFUSED}{{system="{name}"}}[5m])) > 0.01 * {_requests(name, "5m")} and {enough}'
    asked = f"{name} is asked for more than it can answer"
    rules.append(rule("SystemOverloaded", refused, "2m", "warning", summary=asked))
    return [{"name": f"{name}-service-level", "rules": rules}]


def _requests(system: str, window: str, only: str = "") -> str:
    return f'sum(increase({REQUESTS}{{system="{system}"{only}}}[{window}]))'


def _ratio(system: str, window: str) -> str:
    # No errors yet means no series of them: zero, not nothing.
    return f"(({_requests(system, window, _FAILED)} or vector(0)) / {_requests(system, window)})"


def _text(group: str, rules: list[dict[str, Any]]) -> str:
    return _dumped([{"name": group, "rules": rules}])


def _dumped(groups: list[dict[str, Any]]) -> str:
    return str(yaml.safe_dump({"groups": groups}, sort_keys=False, width=1000))
