"""Two environments of a workspace on one cluster: one owner for what a cluster has once, and names apart."""

from pathlib import Path

import pytest
import yaml

from mlstrata.components.naming.neighbours import problems
from mlstrata.environments import Workspace, load


def declared(folder: Path, name: str, upstream: list[dict] = (), *, context: str = "one", **fields: object) -> None:
    target = {"kind": "kubernetes", "context": context, "namespace": f"ml-{name}"}
    document = {"name": name, "target": target, "stage": "prerequisites", "systems": []}
    path = folder / f"environments/{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump({**document, "upstream": [*upstream], **fields}), encoding="utf-8")


def found(folder: Path, name: str) -> list[str]:
    return list(problems(load(folder / f"environments/{name}.yaml"), Workspace(folder)))


def test_one_installs_what_the_other_takes_as_it_is(tmp_path: Path):
    declared(tmp_path, "dev")
    declared(tmp_path, "test")
    (problem,) = found(tmp_path, "test")
    assert problem.startswith("upstream: dev installs cert-manager, ")
    assert "which has one of each; in one of the two files write upstream: [{name: cert-manager, lifecycle: " in problem
    written = yaml.safe_load(problem.partition("write upstream: ")[2])
    declared(tmp_path, "test", written)
    assert found(tmp_path, "test") == found(tmp_path, "dev") == []


def test_clusters_of_their_own_are_none_of_each_others(tmp_path: Path):
    declared(tmp_path, "dev")
    declared(tmp_path, "test", context="two")
    assert found(tmp_path, "test") == []


def test_what_serves_one_environment_is_switched_off_in_the_other(tmp_path: Path):
    declared(tmp_path, "dev", stage="foundation")
    declared(tmp_path, "test", stage="foundation")
    assert any(
        one.startswith("capabilities.off: dev has kubeflow-pipelines on the same cluster")
        and "switch pipelines, and what needs it, off in one of the two" in one
        for one in found(tmp_path, "test")
    )


@pytest.mark.parametrize("kind", ["Namespace"])
def test_no_name_is_made_twice(tmp_path: Path, kind: str):
    declared(tmp_path, "dev")
    declared(tmp_path, "test", target={"kind": "kubernetes", "context": "one", "namespace": "ml-dev"})
    assert any(
        one.startswith(f"target.namespace: it makes the {kind} 'ml-dev', and so does target.namespace of dev")
        for one in found(tmp_path, "test")
    )


def test_a_file_that_is_broken_hides_no_other(tmp_path: Path):
    declared(tmp_path, "dev")
    declared(tmp_path, "test")
    (tmp_path / "environments/broken.yaml").write_text("target: {kind: kubernetes, context: one", encoding="utf-8")
    assert len(found(tmp_path, "test")) == 1
