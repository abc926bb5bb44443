"""A candidate beside the champion: values, intervals, limits, and what the training run found."""

from pathlib import Path
from typing import ClassVar

import pytest

from mlstrata.clients.mlflow import Candidate, Check, RegistryError
from mlstrata.environments import load
from mlstrata.files import write
from mlstrata.operations.releases import Figure, LocalBackend, compare
from mlstrata.operations.releases import backend as shared
from mlstrata.operations.releases.comparison import FieldChange
from mlstrata.services.serving.releases import FILE, HistoryEntry, Releases

ROOT = Path(__file__).parents[3]
METRICS = {
    "1": {"auc": 0.8, "auc_low": 0.75, "auc_high": 0.85, "parity_gap_afam": 0.1, "test_rows": 595.0},
    "2": {"auc": 0.7, "auc_low": 0.65, "auc_high": 0.75, "parity_gap_afam": 0.2, "baseline_auc": 0.5},
}
SHIPPED = load(ROOT / "environments/local.yaml").systems[0]


class MemoryRegistry:
    forgotten: tuple[str, ...] = ()
    types: ClassVar = {"1": {"pirat": "double"}, "2": {"pirat": "double"}}
    checked = (Check("probabilities in range", True, "0.01 to 0.97"), Check("spread", False, "spread 0.001"))

    def __init__(self, uri):
        pass

    def candidate(self, system, version):
        if version in self.forgotten:
            raise RegistryError("no such version")
        wanted = version or max(METRICS)
        return Candidate(wanted, "", METRICS[wanted], f"run-{wanted}")

    def input_types(self, candidate):
        return self.types[candidate.version]

    def checks(self, run):
        return (*self.checked, Check("complaints", False, "measured after release, from desk", warns=True))


@pytest.fixture
def context(tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "Registry", MemoryRegistry)
    return LocalBackend(home=tmp_path, tracking_uri="", serving_urls={SHIPPED.name: ""}, gateway_url="", decider="ana")


def champion(context, version, metrics=None):
    when = "2026-11-21T06:00:00Z"
    entry = HistoryEntry(kind="release", when=when, who="a", why="b", from_=None, to=version, metrics=metrics or {})
    releases = Releases(champion=version, loaded=(version,), history=(entry,))
    write(context.serving_directory(SHIPPED.name) / FILE, releases.to_json())


def figures(found):
    return {figure.metric: figure for figure in found.figures}


def test_both_are_shown_with_the_limits_first_and_what_is_outside_is_named(context):
    champion(context, "1")
    found = compare(context, SHIPPED, None)
    assert (found.candidate, found.champion) == ("2", "1")
    assert found.figures == (
        Figure("auc", (0.7, 0.65, 0.75), (0.8, 0.75, 0.85), "at least 0.75", within=False, champion_within=True),
        Figure("parity_gap_afam", (0.2,), (0.1,), "at most 0.15", within=False, champion_within=True),
        Figure("baseline_auc", (0.5,), None),
        Figure("test_rows", None, (595.0,)),
    )
    assert [check.name for check in found.checks] == ["probabilities in range", "spread", "complaints"]
    assert found.objections == ("auc", "parity_gap_afam", "spread")


def test_what_consumers_must_send_otherwise_is_named(context, monkeypatch):
    taken = {
        "1": {"pirat": "double", "balance": "double", "age": "long"},
        "2": {"pirat": "double", "age": "double", "saldo_eur": "double"},
    }
    monkeypatch.setattr(MemoryRegistry, "types", taken)
    champion(context, "1")
    found = compare(context, SHIPPED, None)
    assert found.fields == (
        FieldChange("balance", "double", None),
        FieldChange("age", "long", "double"),
        FieldChange("saldo_eur", None, "double"),
    )
    assert [str(one) for one in found.fields] == [
        "removed balance (double)",
        "changed age (long to double)",
        "added saldo_eur (double)",
    ]
    assert compare(context, SHIPPED, "1").fields == ()
    champion(context, "2")
    assert compare(context, SHIPPED, None).fields == ()


def test_without_a_champion_only_the_candidate_is_judged(context):
    found = compare(context, SHIPPED, "1")
    assert (found.candidate, found.champion) == ("1", None)
    assert figures(found)["auc"].within
    assert figures(found)["auc"].champion is figures(found)["auc"].champion_within is None
    assert found.objections == ("spread",)


def test_a_champion_that_the_registry_forgot_has_the_metrics_it_was_released_with(context, monkeypatch):
    monkeypatch.setattr(MemoryRegistry, "forgotten", ("1",))
    champion(context, "1", {"auc": 0.79})
    assert figures(compare(context, SHIPPED, None))["auc"].champion == (0.79,)


@pytest.mark.parametrize(
    ("kpi", "limit", "within"),
    [
        ({"metric": "auc", "at_most": 0.9}, "at most 0.9", True),
        ({"metric": "auc", "at_least": 0.7}, "at least 0.7", True),
        ({"metric": "complaints", "at_most": 3, "source": "desk"}, "at most 3, by desk after release", None),
    ],
)
def test_limits_of_every_kind(context, kpi, limit, within):
    system = SHIPPED.model_validate({**SHIPPED.model_dump(), "kpis": [kpi]})
    found = compare(context, system, "2").figures[0]
    assert (found.metric, found.limit, found.within) == (kpi["metric"], limit, within)


def test_two_limits_on_one_metric_are_two_lines(context):
    kpis = [{"metric": "auc", "at_least": 0.6}, {"metric": "auc", "at_most": 0.65}]
    system = SHIPPED.model_validate({**SHIPPED.model_dump(), "kpis": kpis})
    found = compare(context, system, "2")
    assert [(one.limit, one.within) for one in found.figures if one.metric == "auc"] == [
        ("at least 0.6", True),
        ("at most 0.65", False),
    ]
