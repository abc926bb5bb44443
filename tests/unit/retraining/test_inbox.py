"""Alertmanager's notifications become reasons to train, each once."""

import json

import pytest

from mlstrata.services.retraining.inbox import NoNotification, triggers


def notification(*alerts: dict, version: str = "4") -> bytes:
    return json.dumps({"version": version, "groupKey": "{}", "status": "firing", "alerts": list(alerts)}).encode()


def alert(**changes) -> dict:
    return {
        "status": "firing",
        "labels": {"alertname": "InputDrift", "system": "credit", "cause": "input_drift"},
        "annotations": {"summary": "pirat drifted"},
        "startsAt": "2026-11-30T10:00:00Z",
        "fingerprint": "aa",
        **changes,
    }


def test_one_that_fires_is_a_reason():
    (found,) = triggers(notification(alert()))
    assert (found.system, found.cause, found.text) == ("credit", "input_drift", "InputDrift: pirat drifted")


def test_the_same_alert_is_the_same_reason_and_one_that_fires_again_is_another():
    again = alert(startsAt="2026-11-30T11:00:00Z")
    keys = {one.key for one in triggers(notification(alert(), alert(), again))}
    assert len(keys) == 2
    assert triggers(notification(alert()))[0].key in keys


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "resolved"},
        {"labels": {"alertname": "ServiceDown", "system": "credit"}},
        {"labels": {"alertname": "InputDrift", "cause": "input_drift"}},
        {"labels": {"alertname": "Other", "system": "credit", "cause": "weather"}},
    ],
    ids=["resolved", "without a cause", "of no system", "of a cause that nobody knows"],
)
def test_what_starts_nothing(changed):
    assert triggers(notification(alert(**changed))) == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not JSON"),
        (b"[]", "version"),
        (notification(alert(), version="5"), "got '5'; allowed \"4\""),
        (json.dumps({"version": "4", "alerts": {}}).encode(), "alerts: got dict"),
        (json.dumps({"version": "4", "alerts": ["x"]}).encode(), "allowed objects"),
        (notification(alert(fingerprint="")), "no fingerprint"),
    ],
)
def test_what_is_no_notification_is_said(body, says):
    with pytest.raises(NoNotification, match=says.replace("(", r"\(")):
        triggers(body)


def test_a_summary_is_one_line_of_text():
    (found,) = triggers(notification(alert(annotations={"summary": "a\nb"})))
    assert found.reason == "a b"
