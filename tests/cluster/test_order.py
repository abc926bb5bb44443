"""`components.yaml` is an order: one walk over an empty server leaves everything there, and nothing is tried twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from mlstrata.components.upstream.bill import piece
from mlstrata.operations.render.files import KUSTOMIZATION, UPSTREAM
from tests.support.cluster import Cluster
from tests.support.definitions import USED
from tests.support.deployed import BROUGHT, known
from tests.support.rendered import STAGES, rendered


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Cluster]:
    """Start a control plane that knows no kind of an operator's."""
    made = Cluster(tmp_path / "cluster")
    try:
        made.start()
        yield made
    finally:
        made.stop()


def install(cluster: Cluster, name: str, wanted: Sequence[str], definitions: dict[str, str]) -> None:
    """Bring definitions, as the installation of a chart or bundle does."""
    if wanted:
        made = cluster.kubectl("create", "-f", "-", stdin="\n---\n".join(definitions[one] for one in wanted))
        assert made.code == 0, f"{name}: {made.err}"
        # It stops at one that has no conditions at all yet.
        there = ("wait", "--for=condition=Established", "--timeout=600s", "crd", *wanted)
        cluster.eventually(f"the definitions of {name}", lambda: cluster.kubectl(*there).code == 0)


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_a_walk_over_the_components_finds_what_each_needs(empty: Cluster, environment: str, tmp_path: Path) -> None:
    rendered(environment, STAGES[-1], tmp_path / "workspace")
    out = tmp_path / "workspace/out"
    definitions = {name: text for name, text in known(empty).items() if name in USED}
    installed = {one["component"] for one in yaml.safe_load((out / "charts.yaml").read_text(encoding="utf-8"))}
    walked = [one["component"] for one in yaml.safe_load((out / "components.yaml").read_text(encoding="utf-8"))]
    assert set(walked) >= installed | {path.name for path in out.iterdir() if path.is_dir() and path.name != UPSTREAM}
    if "karpenter" not in installed:
        install(empty, "of the organisation", BROUGHT, definitions)
    for name in walked:
        if name in installed:
            install(empty, name, [one for one in piece(name).crds if one in definitions], definitions)
        files = sorted(path for path in (out / name).glob("*.yaml") if path.name != KUSTOMIZATION)
        for digit in sorted({path.name[0] for path in files}):
            objects = [
                one
                for path in files
                if path.name[0] == digit
                for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))
            ]
            answer = empty.apply(objects)
            assert answer.code == 0, f"{name}: {answer.err}"
