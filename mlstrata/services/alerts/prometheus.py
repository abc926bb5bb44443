"""Prometheus: its configuration and the scrape targets that components contribute."""

from __future__ import annotations

import json

import yaml

from mlstrata.services.alerts.settings import HOST, Target

CONFIG_FILE = "prometheus.yml"
TARGETS_FOLDER = "targets"
RULES_FOLDER = "rules"
_EVERY_SECONDS = 5


def render_config(alertmanager_port: int) -> str:
    """Return Prometheus's configuration.

    It names no service: Prometheus watches a folder of targets beside it and reads a folder of rules, so that a new
    service adds files and changes none.
    """
    config = {
        "global": {"scrape_interval": f"{_EVERY_SECONDS}s", "evaluation_interval": f"{_EVERY_SECONDS}s"},
        "rule_files": [f"{RULES_FOLDER}/*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"{HOST}:{alertmanager_port}"]}]}]},
        "scrape_configs": [
            {
                "job_name": "mlstrata",
                # What serves all systems says of each metric whose it is; the target's own label stands for the rest.
                "honor_labels": True,
                "file_sd_configs": [{"files": [f"{TARGETS_FOLDER}/*.json"], "refresh_interval": "1m"}],
            }
        ],
    }
    return str(yaml.safe_dump(config, sort_keys=False))


def render_target(target: Target) -> str:
    """Return the file of one target; its `job` is the service's name."""
    labels = {"job": target.service, "system": target.system, "__metrics_path__": target.path}
    return json.dumps([{"targets": [f"{HOST}:{target.port}"], "labels": labels}], indent=1) + "\n"
