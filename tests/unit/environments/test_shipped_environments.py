"""The environments that come with mlstrata are real and differ as such environments do."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from mlstrata.environments import Capability, EnvironmentSpec, Stage, load
from mlstrata.environments.spec.platform_wide import Enforce

FOLDER = Path(__file__).parents[3] / "environments"
NAMES = ["local", "dev", "staging", "prod"]


@pytest.fixture(scope="module")
def specs() -> dict[str, EnvironmentSpec]:
    return {name: load(FOLDER / f"{name}.yaml") for name in NAMES}


def test_these_are_all() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == sorted(NAMES)


def test_targets_and_stages(specs: dict[str, EnvironmentSpec]) -> None:
    assert {name: (spec.target.kind, spec.stage) for name, spec in specs.items()} == {
        "local": ("local", Stage.MATURE),
        "dev": ("kubernetes", Stage.FOUNDATION),
        "staging": ("kubernetes", Stage.SCALE),
        "prod": ("aws", Stage.SCALE),
    }


def test_local_has_what_the_first_five_minutes_show(specs: dict[str, EnvironmentSpec]) -> None:
    local = specs["local"]
    system, other = local.systems
    assert (system.name, system.model.target, system.model.positive) == ("mortgage-approval", "deny", "yes")
    assert system.model.protected == ("afam", "single")
    assert system.training_data is not None
    assert system.training_data.location is not None
    assert (system.training_data.location.place, system.training_data.location.name) == ("AER", "HMDA")
    assert system.untrainable() is None
    (consumer,) = system.serving.consumers
    assert (consumer.name, consumer.rate.count, consumer.rate.per_seconds) == ("underwriter-desk", 50, 1)
    assert (other.name, other.model.target, other.model.positive) == ("consumer-credit", "Status", "bad")
    assert other.untrainable() is None
    assert (other.risk.tier.value, other.risk.annex_iii.value) == ("high", "5b"), "creditworthiness of persons"
    assert local.target.kind == "local"
    assert {name: local.target.ports[name] for name in ("gateway", "mlflow", "prometheus", "alertmanager")} == {
        "gateway": 8080,
        "mlflow": 5000,
        "prometheus": 9090,
        "alertmanager": 9093,
    }


def test_each_step_towards_prod_is_larger_stricter_and_remembers_longer(specs: dict[str, EnvironmentSpec]) -> None:
    dev, staging, prod = (specs[name] for name in ("dev", "staging", "prod"))
    memory = [spec.retention.predictions for spec in (dev, staging, prod)]
    assert memory == sorted(memory)
    assert len(set(memory)) == 3
    replicas = [spec.system("mortgage-approval").serving.replicas.max for spec in (dev, staging, prod)]
    assert replicas == sorted(replicas)
    assert len(set(replicas)) == 3
    nodes = [spec.gpu_pools[0].nodes.max for spec in (dev, staging, prod)]
    assert nodes == sorted(nodes)
    floors = [spec.system("mortgage-approval").kpis[0].at_least for spec in (dev, staging, prod)]
    assert floors == [0.70, 0.75, 0.80]
    assert [spec.enforce for spec in (dev, staging, prod)] == [Enforce.BY_DATE, Enforce.NOW, Enforce.NOW]
    assert dev.capabilities <= staging.capabilities | {Capability.TEAMS}


def test_what_must_be_kept_is_kept_where_people_are_decided_about(specs: dict[str, EnvironmentSpec]) -> None:
    """Art. 18, 19 and 26(6); the loader does not judge it, so the shipped files must be examples."""
    for name in ("staging", "prod"):
        retention = specs[name].retention
        assert min(retention.predictions, retention.logs) >= timedelta(days=183)
        assert retention.documents >= timedelta(days=3653)


@pytest.mark.parametrize("name", NAMES)
def test_the_canonical_form_reads_back_as_the_same(
    name: str, specs: dict[str, EnvironmentSpec], tmp_path: Path
) -> None:
    (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(specs[name].model_dump(mode="json")), encoding="utf-8")
    assert load(tmp_path / f"{name}.yaml") == specs[name]


@pytest.mark.parametrize("name", NAMES)
def test_editors_find_the_schema(name: str) -> None:
    first = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    _, _, schema = first.partition("$schema=")
    assert (FOLDER / schema).is_file()


def test_the_shortest_file_is_valid(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(
        "name: tiny\ntarget: {kind: local}\nstage: prerequisites\nsystems:\n"
        "  - {name: loans, purpose: Help., risk: {tier: minimal}, model: {modality: tabular}}\n",
        encoding="utf-8",
    )
    spec = load(tmp_path / "tiny.yaml")
    assert spec.storage.kind == "folder"
    assert spec.systems[0].serving.consumers == ()
    assert spec.systems[0].untrainable() == (
        "model.data does not say which dataset to train on; declare one in data and name it"
    )


@pytest.mark.parametrize(
    ("target", "storage"),
    [
        ("{kind: local}", "folder"),
        ("{kind: kubernetes, context: ml}", "s3"),
        ('{kind: aws, region: eu-west-1, account: "123456789012"}', "s3"),
    ],
)
def test_the_default_storage_fits_the_target(target: str, storage: str, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(f"name: tiny\ntarget: {target}\nstage: scale\n", encoding="utf-8")
    assert load(tmp_path / "tiny.yaml").storage.kind == storage
