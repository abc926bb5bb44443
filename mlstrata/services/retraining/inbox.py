"""From Alertmanager's notification to reasons to train.

Alertmanager's own habits decide the key. A pair of them sends twice, a receiver that was slow is told again, a group
that changes is sent as a whole, and what still fires is repeated every few hours: one alert is its fingerprint (of its
labels) and the time since which it fires. `groupKey` would be none: it comes again with every new alert of the group.
Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config, read at 0.25 and 0.34.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mlstrata.environments.spec.retrain import Cause
from mlstrata.services.retraining.trigger import Trigger

VERSION = "4"
_FIRING = "firing"
_LONGEST = 300
_CAUSES = frozenset(one.value for one in Cause)


class NoNotification(ValueError):
    """A body is not what Alertmanager sends; the message says what is wrong."""


def triggers(body: bytes) -> list[Trigger]:
    """Return the reasons to train that a notification names: alerts that fire and carry the label `cause`.

    What is resolved starts nothing, and an alert without a system or of another cause is somebody else's.

    Raises:
        NoNotification: The body is not a notification of version "4".
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NoNotification(f"not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("version") != VERSION:
        got = document.get("version") if isinstance(document, dict) else type(document).__name__
        raise NoNotification(f'version: got {got!r}; allowed "{VERSION}", as Alertmanager\'s webhook sends')
    alerts = document.get("alerts")
    if not isinstance(alerts, list):
        raise NoNotification(f"alerts: got {type(alerts).__name__}; allowed a list")
    found = dict.fromkeys(one for alert in alerts if (one := _trigger(alert)) is not None)
    return list(found)


def _trigger(alert: Any) -> Trigger | None:
    if not isinstance(alert, Mapping):
        raise NoNotification(f"alerts: got {type(alert).__name__}; allowed objects")
    labels, notes = _texts(alert.get("labels")), _texts(alert.get("annotations"))
    system, cause = labels.get("system", ""), labels.get("cause", "")
    if alert.get("status") != _FIRING or not system or cause not in _CAUSES:
        return None
    fingerprint, since = str(alert.get("fingerprint") or ""), str(alert.get("startsAt") or "")
    if not fingerprint or not since:
        raise NoNotification("alerts: one has no fingerprint or no startsAt, which tell it from others")
    summary = notes.get("summary", "")[:_LONGEST]
    plain = "".join(char if char.isprintable() else " " for char in summary)
    name = labels.get("alertname", cause)[:_LONGEST]
    return Trigger(f"{system}|{cause}|{fingerprint}|{since}", system, cause, name, plain)


def _texts(values: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()} if isinstance(values, Mapping) else {}
