"""Alertmanager: grouping, the receiver that logs alerts on this machine, and the one that has systems learn again."""

from __future__ import annotations

from typing import Any

import yaml

from mlstrata.services.alerts.settings import HOST, Learner, Receiver

CONFIG_FILE = "alertmanager.yml"


def render_config(receiver: Receiver, learner: Learner | None = None) -> str:
    """Return Alertmanager's configuration: alerts of one system arrive together, critical ones hush its warnings.

    Args:
        receiver: What logs every alert.
        learner: Who is told, besides, of those that have a cause for learning again; None: nobody.
    """
    config: dict[str, Any] = {
        "route": {
            "receiver": "log",
            "group_by": ["system", "alertname"],
            "group_wait": "1s",
            "group_interval": "30s",
            "repeat_interval": "4h",
        },
        "inhibit_rules": [
            {
                "source_matchers": ['alertname="ServiceDown"'],
                "target_matchers": ['severity="warning"'],
                "equal": ["system"],
            }
        ],
        "receivers": [
            {
                "name": "log",
                "webhook_configs": [
                    {"url": f"http://{HOST}:{receiver.port}{receiver.path}", "send_resolved": True},
                ],
            }
        ],
    }
    if learner is not None:
        # The first goes on to the second, which takes all: no alert is missing in the log.
        config["route"]["routes"] = [
            {"receiver": "learning", "matchers": ['cause!=""'], "continue": True},
            {"receiver": "log"},
        ]
        config["receivers"].append({"name": "learning", "webhook_configs": [_learning(learner)]})
    return str(yaml.safe_dump(config, sort_keys=False))


def _learning(learner: Learner) -> dict[str, Any]:
    credentials = {"authorization": {"type": "Bearer", "credentials_file": learner.token_file}}
    url = f"http://{HOST}:{learner.port}{learner.path}"
    return {"url": url, "send_resolved": False, "http_config": credentials}
