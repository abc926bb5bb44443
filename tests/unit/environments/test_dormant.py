"""What a file declares and nothing acts on is named."""

from typing import Any

from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.not_yet_active import dormant

EVERYTHING: dict[str, Any] = {
    "name": "loans",
    "purpose": "Help.",
    "risk": {"tier": "high"},
    "model": {"modality": "tabular", "features": "loans_v1", "schedule": "0 3 * * 1"},
    "serving": {"fallback": {"below_confidence": 0.6}, "explain": {}},
    "rollout": {"strategy": "canary"},
    "monitor": {"fairness": {"at_most": 0.1}},
    "retire": {"date": "2030-01-01"},
}


def waiting(stage: str, **parts: Any) -> list[str]:
    environment = {"name": "prod", "target": {"kind": "local"}, "stage": stage, "systems": [{**EVERYTHING, **parts}]}
    return [str(item) for item in dormant(EnvironmentSpec.model_validate(environment))]


def test_the_first_stage_names_all_that_waits() -> None:
    assert [line.partition(":")[0] for line in waiting("prerequisites")] == [
        "systems[0].model.features",
        "systems[0].model.schedule",
        "systems[0].serving.fallback",
        "systems[0].serving.explain",
        "systems[0].rollout.strategy",
        "systems[0].monitor.fairness",
        "systems[0].retire.date",
    ]


def test_the_last_stage_has_nothing_left_to_wait_for() -> None:
    assert waiting("mature") == []


def test_it_says_what_brings_it_and_what_happens_until_then() -> None:
    assert waiting("foundation", model={"modality": "tabular"}, serving={}, monitor={}, retire={}) == [
        "systems[0].rollout.strategy: waits for the capability 'rollout' (stage scale brings it); "
        "until then a person releases, all at once"
    ]
