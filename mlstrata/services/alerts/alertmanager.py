"""Alertmanager: grouping, and the receiver that logs alerts on this machine."""

from __future__ import annotations

import yaml

from mlstrata.services.alerts.settings import HOST, Receiver

CONFIG_FILE = "alertmanager.yml"


def render_config(receiver: Receiver) -> str:
    """Return Alertmanager's configuration: alerts of one system arrive together, critical ones hush its warnings."""
    config = {
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
    return str(yaml.safe_dump(config, sort_keys=False))
