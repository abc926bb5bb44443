"""The shipped environments on clusters at every stage: planned, rendered, let through with every duty enforced."""

import re
import shutil
from pathlib import Path

import pytest

from mlstrata.environments import Stage, Workspace, load_with_places
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.policy_check import planned, report_on
from mlstrata.operations.render.manifests import manifests
from tests.support.command import copy_exemptions

ROOT = Path(__file__).parents[3]


def lost(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Name the files that are gone or changed, but for what predicts: it is told of the recorder once there is one."""
    told = re.compile(r"/(\d-configmap-[^/]*\.serving-|\d-seldondeployment-)[^/]*$|/kustomization\.yaml$")
    return [
        path for path, text in before.items() if path not in after or (after[path] != text and not told.search(path))
    ]


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_one_word_moves_it_to_any_stage_and_nothing_is_blocked(tmp_path, name):
    folder = tmp_path / "environments"
    shutil.copytree(ROOT / "environments/substrates", folder / "substrates")
    copy_exemptions(tmp_path)
    text = (ROOT / f"environments/{name}.yaml").read_text(encoding="utf-8").replace("enforce: by_date", "enforce: now")
    before = {}
    for stage in Stage:
        moved, changed = re.subn(r"(?m)^stage: \w+", f"stage: {stage.value}", text)
        assert changed == 1
        (folder / f"{name}.yaml").write_text(moved, encoding="utf-8")
        deployment = Deployment(Workspace(tmp_path), load_with_places(folder / f"{name}.yaml"))
        plan = planned(deployment)
        report = report_on(deployment, plan)
        assert report.passed, [*report.errors, *(one for one in report.results if one.blocking)]
        files = manifests(plan).files
        objects = {path: text for path, text in files.items() if "/" in path}
        assert lost(before, objects) == [], f"{stage}: a stage only adds"
        before = objects
    assert len(before) > 150
