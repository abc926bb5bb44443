"""Names that the metrics of the learning process and the rules about them share."""

from __future__ import annotations

ROUND = "mlstrata_learning_round_timestamp_seconds"
"""When the learning process last looked at every system, rollouts among them, and nothing went wrong."""
STOPPED = "mlstrata_learning_stopped"
"""1 while a system's learning has stopped itself (`retrain.give_up_after`), by system."""
UNRELEASED = "mlstrata_learning_last_unreleased"
"""1 while the newest training gave no model that was released, by system and outcome."""
TRAININGS = "mlstrata_learning_trainings"
"""Trainings that ended, by system and outcome."""
WAITING = "mlstrata_learning_waiting_causes"
"""Causes that started no training yet, by system."""
ROLLING = "mlstrata_learning_rollout_since_seconds"
"""When the newest training's model began to take over, in seconds since 1970, while it does, by system."""
