"""What `mlstrata render` writes of a shipped environment, at a stage of the test's choice."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mlstrata.cli.main import main
from mlstrata.components.capability import built
from mlstrata.environments import Stage
from mlstrata.environments.stages import capabilities_of, missing_needs
from tests.support.cluster import Cluster, Json

ROOT = Path(__file__).parents[2]
STAGES = [stage.value for stage in Stage]
FIRST = ("Namespace", "CustomResourceDefinition", "PriorityClass", "ServiceAccount")
Key = tuple[str, str, str, str]


def unbuilt(stage: Stage, target: str) -> list[str]:
    """Return what the stage has and the target has not, with all that cannot do without it."""
    wanted = capabilities_of(stage)
    there = wanted & built(target)
    while broken := {one for one, _ in missing_needs(there)}:
        there -= broken
    return sorted(str(one) for one in wanted - there)


def at_stage(environment: str, stage: str) -> str:
    """Return a shipped environment's file at another stage, with all of it that is built for its target."""
    text = (ROOT / f"environments/{environment}.yaml").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^stage: \w+", f"stage: {stage}", text)
    said = yaml.safe_load(text)
    switched = {"on": said["capabilities"].get("on", []), "off": unbuilt(Stage(stage), said["target"]["kind"])}
    return re.sub(r"(?ms)^capabilities:.*?(?=^\w)", f"capabilities: {json.dumps(switched)}\n", text)


def rendered(environment: str, stage: str, folder: Path, change: Callable[[str], str] = str) -> list[Json]:
    """Render a shipped environment at a stage; return its objects, what others stand in first.

    Args:
        environment: Its name.
        stage: The stage.
        folder: An empty folder, which becomes the workspace.
        change: Makes something else of the file's text.
    """
    text = at_stage(environment, stage)
    # What a cloud's substrate would have given stands in a file.
    shutil.copytree(ROOT / "environments/substrates", folder / "environments/substrates")
    (folder / f"environments/{environment}.yaml").write_text(change(text), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLSTRATA_WORKSPACE", str(folder))
        assert main(["render", environment, "-o", str(folder / "out")]) == 0
    found = [
        one
        for path in sorted((folder / "out").glob("*/*.yaml"))
        if path.name != "kustomization.yaml"
        for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]
    return sorted(found, key=lambda one: FIRST.index(one["kind"]) if one["kind"] in FIRST else len(FIRST))


def key(one: Json) -> Key:
    """Return what names an object."""
    metadata = one["metadata"]
    return one["apiVersion"], one["kind"], metadata.get("namespace", ""), metadata["name"]


def identities(cluster: Cluster, objects: list[Json]) -> dict[Key, str]:
    """Apply objects; return what the server calls each: one that was replaced has another name there."""
    answer = cluster.must(objects, "-o", "json")
    return {key(one): one["metadata"]["uid"] for one in answer.json["items"]}


def _predicts(one: Json) -> bool:
    """Whether an object is of what predicts, and says how."""
    part = one["metadata"].get("labels", {})
    settings = one["kind"] == "ConfigMap" and one["metadata"]["name"].startswith("serving-")
    return settings or (one["kind"] == "SeldonDeployment" and "mlstrata.io/system" in part)


def climbed(cluster: Cluster, environment: str, folder: Path) -> dict[str, list[Json]]:
    """Apply an environment at every stage, each over the one before, and leave it at the last.

    Each move up must keep all that was there: the server's own identity of each object, and its text, but for the pods
    that predict, which are told of the recorder once there is one.
    """
    applied: dict[str, list[Json]] = {}
    before: dict[Key, str] = {}
    texts: dict[Key, Json] = {}
    for stage in STAGES:
        applied[stage] = rendered(environment, stage, folder / stage)
        if applied[stage] in [applied[lower] for lower in STAGES[: STAGES.index(stage)]]:
            continue  # nothing of what the stage adds is built for clusters yet
        after = identities(cluster, applied[stage])
        lost = sorted(one for one, uid in before.items() if after.get(one) != uid)
        assert not lost, f"{environment} moving up to {stage} deleted or replaced {lost}"
        now = {key(one): one for one in applied[stage]}
        changed = sorted(one for one, text in texts.items() if now[one] != text and not _predicts(now[one]))
        assert not changed, f"{environment} moving up to {stage} changed {changed}"
        before, texts = after, now
    return applied
