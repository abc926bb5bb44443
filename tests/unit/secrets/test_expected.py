"""`mlstrata secrets`: what is listed is what the environment's objects refer to, no more and no less."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlstrata.cli.main import main
from mlstrata.components.gateway.system_route import KEYS
from mlstrata.components.registry.names import ACCESS
from mlstrata.environments import Workspace, load_with_places
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.policy_check import planned
from mlstrata.operations.render.manifests import CHARTS, manifests
from mlstrata.operations.secrets.expected import Origin, expected

ROOT = Path(__file__).parents[3]
DIGEST = "sha256:" + "a" * 64
Place = tuple[str, str]
OWN = {
    # All that a cluster can have of its own: its store, its images, its features.
    "name": "own",
    "target": {"kind": "kubernetes", "context": "it's mine"},
    "stage": "foundation",
    "capabilities": {"on": ["backup", "feature_store"]},
    "images": {"runtime": f"registry.example.com/ml/runtime@{DIGEST}", "pull_secret": "registry-pull"},
    "systems": [
        {
            "name": "churn",
            "purpose": "Say which customers will leave.",
            "owner": "churn@example.com",
            "risk": {"tier": "minimal"},
            "data": [{"name": "customers", "source": "s3://acme/c.csv", "store": {"secret": "customers-bucket"}}],
            "model": {"modality": "tabular", "target": "churned"},
        }
    ],
}
UPLOADED = {("kubeflow", ACCESS), ("kubeflow", "customers-bucket"), ("kubeflow", "registry-pull")}
"""Read by the steps of pipelines, which are uploaded to Kubeflow when a system is trained."""


def _file(name: str, folder: Path) -> Path:
    if name != "own":
        return ROOT / f"environments/{name}.yaml"
    (folder / "environments").mkdir()
    file = folder / "environments/own.yaml"
    file.write_text(yaml.safe_dump(OWN))
    return file


def _within(value: Any, key: str) -> Iterator[Any]:
    """Yield the values of a key, wherever it is."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from _within(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _within(inner, key)


def _read(one: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the secrets that an object refers to."""
    for key in ("secretKeyRef", "secretRef", "urlSecret"):
        yield from (str(found["name"]) for found in _within(one, key))
    yield from (found["name"] for several in _within(one, "imagePullSecrets") for found in several)
    yield from (found["name"] for found in _within(one, "valueRef") if found["kind"] == "ConfigMap")
    if one.get("kind") != "Certificate":
        yield from (found for found in _within(one, "secretName") if isinstance(found, str))


def _made(one: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the secrets that an object makes, by whatever operator."""
    match one["kind"], one.get("spec"):
        case "Certificate", spec:
            yield spec["secretName"]
        case "Cluster", _:
            yield f"{one['metadata']['name']}-app"
        case "ExternalSecret", spec:
            yield spec["target"]["name"]


@pytest.mark.parametrize("name", ["dev", "staging", "prod", "own"])
def test_each_secret_that_is_read_is_made_or_listed_and_each_that_is_listed_is_read(name, tmp_path, monkeypatch):
    file = _file(name, tmp_path)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(file.parents[1]))
    deployment = Deployment(Workspace(file.parents[1]), load_with_places(file))
    result = planned(deployment)
    files = manifests(result).files
    objects = [yaml.safe_load(text) for path, text in files.items() if "/" in path]
    objects = [one for one in objects if "metadata" in one]

    def places(found) -> set[Place]:
        return {(one["metadata"].get("namespace", ""), secret) for one in objects for secret in found(one)}

    charts = yaml.safe_load(files[CHARTS])
    read = places(_read) | {
        (one["namespace"], secret) for one in charts for secret in _within(one.get("values", {}), "existingSecret")
    }
    made = places(_made)
    secrets = expected(deployment.spec, result.outputs)
    listed = {(one.namespace, one.name) for one in secrets.expected}
    assert read - made - listed == set()
    assert listed - read - UPLOADED == set()
    assert len(read & listed) > 5
    if secrets.stored:
        assert {one for one in listed if one[1] != KEYS} <= made
    else:
        assert not listed & made


def _own(tmp_path: Path, monkeypatch) -> None:
    _file("own", tmp_path)
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))


def test_says_of_each_where_it_comes_from(tmp_path, monkeypatch, capsys):
    _own(tmp_path, monkeypatch)
    assert main(["secrets", "own", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["context"] == "it's mine"
    found = {
        (one["namespace"], one["name"]): {entry["key"]: entry["origin"] for entry in one["entries"]}
        for one in document["secrets"]
    }
    assert found["mlstrata", ACCESS] == {"password": Origin.GENERATED, "seal": Origin.GENERATED}
    assert found["mlstrata-churn", ACCESS] == {"password": Origin.GENERATED}
    assert set(found["mlstrata", "object-store"].values()) == {Origin.GENERATED}
    assert set(found["mlstrata-churn", "customers-bucket"].values()) == {Origin.ASKED}
    assert found["mlstrata-churn", "registry-pull"] == {".dockerconfigjson": Origin.REGISTRY}
    assert found["mlstrata-churn", KEYS] == {"jwks": Origin.KEYS}
    assert all(one["why"] and one["maker"] for one in document["secrets"])
    assert ("monitoring", "registry-pull") not in found, "nothing of ours runs there"


def test_external_secrets_take_each_from_the_store_that_is_named(tmp_path, monkeypatch, capsys):
    _own(tmp_path, monkeypatch)
    assert main(["secrets", "own", "--for", "external-secrets", "--store", "vault"]) == 0
    made = list(yaml.safe_load_all(capsys.readouterr().out))
    assert {one["kind"] for one in made} == {"ExternalSecret"}
    assert {one["spec"]["secretStoreRef"]["name"] for one in made} == {"vault"}
    pulls = [one for one in made if one["metadata"]["name"] == "registry-pull"]
    assert {one["spec"]["target"]["template"]["type"] for one in pulls} == {"kubernetes.io/dockerconfigjson"}
    assert KEYS not in {one["metadata"]["name"] for one in made}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["local"], "target.kind: got 'local'"),
        (["own", "--json", "--script"], "--json: lists the secrets"),
        (["own", "--for", "vault"], "--for: got 'vault'"),
        (["own", "--store", "vault"], "--store: names a ClusterSecretStore"),
        (["own", "--script", "--for", "external-secrets"], "--script: makes secrets by hand"),
    ],
)
def test_refuses_what_does_not_go_together(options, message, tmp_path, monkeypatch, capsys):
    _own(tmp_path, monkeypatch)
    (tmp_path / "environments/local.yaml").write_text("name: local\ntarget: {kind: local}\nstage: prerequisites\n")
    assert main(["secrets", *options]) == 2
    assert message in capsys.readouterr().err
