"""A state damaged anywhere is told in one message: never a traceback, never "unexpectedly"."""

import copy
import json

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

import pulumi_embedded
from mlstrata.cli.status import status
from mlstrata.environments import Workspace
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.operations.migration import planned
from mlstrata.operations.targets.local import Local
from mlstrata.services.storage.migration import JOURNAL, Migration

FILE = """\
name: local
target: {kind: local}
stage: prerequisites
systems:
  - {name: loans, purpose: Help., risk: {tier: minimal, practice: none, contact: false}, model: {modality: tabular}}
"""
URLS = {"gateway": "https://127.0.0.1:1", "mlflow": "http://127.0.0.1:1"}


def resource(kind: str, name: str, **values: object) -> dict:
    return {"urn": f"urn:pulumi:local::mlstrata::{kind}::{name}", "type": kind, "custom": False, **values}


def state(folder: str) -> dict:
    """Return a checkpoint with one resource of each kind that commands read."""
    dynamic = "pulumi-python:dynamic/mlstrata"
    checks = {"gateway": {"url": "https://127.0.0.1:1/healthz", "expect": 200}}
    platform = {"name": "local", "target": {"kind": "local"}, "storage": {"kind": "folder"}}
    outputs = {"urls": URLS, "socket": f"{folder}/socket", "ports": {"serving-loans": {"http": 1.0}}}
    resources = [
        resource("pulumi:pulumi:Stack", "mlstrata-local", outputs=outputs),
        resource("mlstrata:platform:Platform", "platform", inputs={"spec": platform}),
        resource(f"{dynamic}:Ready", "gateway-ready", outputs={"checks": checks, "took": {"gateway": 1.0}}),
        resource(f"{dynamic}:Service", "gateway", outputs={"name": "gateway"}),
    ]
    return {"version": 3, "checkpoint": {"stack": "s", "latest": {"manifest": {}, "resources": resources}}}


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    root = tmp_path_factory.mktemp("workspace")
    workspace = Workspace(root)
    workspace.environments.mkdir()
    workspace.environment_file("local").write_text(FILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLSTRATA_WORKSPACE", str(root))
        found = Deployment.open("local")
        found.checkpoint.parent.mkdir(parents=True)
        yield found


def paths(value: object, start: tuple = ()) -> list[tuple]:
    """Return the place of everything inside of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, one in inner for place in ((*start, key), *paths(one, (*start, key)))]


def damaged(deployment: Deployment, place: tuple, junk: object) -> None:
    document = copy.deepcopy(state(str(deployment.home)))
    inside = document
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = junk
    deployment.checkpoint.write_text(json.dumps(document))


def rollout(deployment: Deployment):
    return Local(deployment.reopened()).rollout()


def migration(deployment: Deployment) -> Migration | None:
    return planned(deployment.reopened())


READERS = (rollout, migration, lambda _: status("local", as_json=True))
PLACES = paths(state("/nowhere"))


def test_the_sound_state_is_read(deployment, capsys):
    deployment.checkpoint.write_text(json.dumps(state(str(deployment.home))))
    assert rollout(deployment).serving_urls == {"loans": "http://127.0.0.1:1"}
    with pytest.raises(typer.Exit):
        status("local", as_json=True)
    assert [one["name"] for one in json.loads(capsys.readouterr().out)["services"]] == ["gateway"]


@settings(max_examples=300, deadline=None)
@given(place=st.sampled_from(PLACES), junk=st.sampled_from([3, -1.5, True, None, "x", "", [], [3], {}, {"x": 3}]))
def test_a_state_damaged_anywhere_is_read_or_refused(deployment, place, junk):
    damaged(deployment, place, junk)
    for read in READERS:
        try:
            read(deployment)
        except (UsageError, pulumi_embedded.CorruptCheckpoint, typer.Exit):
            continue


@pytest.mark.parametrize(
    ("place", "junk", "said"),
    [
        (("checkpoint", "latest", "resources", 1, "inputs"), 3, r"resources\[1\]\.inputs: got 3; allowed an object"),
        (("checkpoint", "latest", "resources", 2, "outputs", "checks"), 3, "gateway-ready: outputs: checks: got 3"),
        (("checkpoint", "latest", "resources", 0, "outputs", "urls", "mlflow"), 3, "the stack's outputs: urls: mlflow"),
        (("checkpoint", "latest", "resources", 0, "outputs", "ports"), [1], "the stack's outputs: ports: got"),
    ],
)
def test_what_is_damaged_is_named(deployment, place, junk, said):
    damaged(deployment, place, junk)
    with pytest.raises((UsageError, pulumi_embedded.CorruptCheckpoint), match=said) as caught:
        [read(deployment) for read in READERS]
    assert str(deployment.checkpoint) in str(caught.value)
    assert "restore it from" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"champion": 3}', '{"champion": "1", "more": 1}'])
def test_damaged_releases_are_named(deployment, text):
    file = deployment.home / "data/serving/loans/releases.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    try:
        with pytest.raises(UsageError, match="not what a release writes") as caught:
            Local(deployment).released("loans")
        assert str(file) in str(caught.value)
    finally:
        file.unlink()


@pytest.mark.parametrize("text", ["", "{", '{"source": 3}'])
def test_a_damaged_journal_of_a_migration_is_named(deployment, text):
    deployment.checkpoint.write_text(json.dumps(state(str(deployment.home))))
    file = deployment.home / JOURNAL
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    try:
        for read in (migration, lambda _: status("local", as_json=False)):
            with pytest.raises(UsageError, match="not what `mlstrata migrate` writes") as caught:
                read(deployment)
            assert str(file) in str(caught.value)
    finally:
        file.unlink()


def test_what_is_not_up_is_told_as_that(deployment):
    deployment.checkpoint.unlink(missing_ok=True)
    with pytest.raises(UsageError, match="local is not up"):
        _ = Local(deployment.reopened()).outputs
