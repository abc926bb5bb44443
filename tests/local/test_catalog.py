"""The catalog of a real environment: the lineage of what answers, while it is up and after it was taken down."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.command import copy_exemptions, first_systems, stored
from tests.support.patience import eventually

pytestmark = pytest.mark.local

ROOT = Path(__file__).parents[2]
MLSTRATA = Path(sys.executable).with_name("mlstrata")
SYSTEM = "mortgage-approval"
SHIPPED = "target: {kind: local}"
FREE = {
    "kind": "local",
    "ports": dict.fromkeys(("gateway", "mlflow", "prometheus", "alertmanager", "runner", "catalog"), 0),
}


class Environment:
    def __init__(self, root: Path):
        self.root = root
        text = stored(first_systems((ROOT / "environments/local.yaml").read_text(), 1))
        assert text.count(SHIPPED) == 1
        (root / "environments").mkdir()
        copy_exemptions(root)
        (root / "environments/local.yaml").write_text(text.replace(SHIPPED, f"target: {json.dumps(FREE)}"))

    def json(self, *arguments: str) -> dict:
        environ = {**os.environ, "MLSTRATA_WORKSPACE": str(self.root), "NO_COLOR": "1"}
        given = {"stdin": subprocess.DEVNULL, "env": environ, "cwd": self.root}
        done = subprocess.run([MLSTRATA, *arguments, "--json"], capture_output=True, text=True, check=False, **given)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Iterator[Environment]:
    made = Environment(tmp_path_factory.mktemp("workspace"))
    try:
        made.json("up", "local", "--yes", "--train")
        yield made
    finally:
        made.json("down", "local", "--yes")


def came_from(catalog: dict, node: str) -> list[str]:
    """The nodes before `node`, nearest first, where each has one before it."""
    before = {edge["target"]: edge["source"] for edge in catalog["edges"]}
    path = []
    while node in before:
        node = before[node]
        path.append(node)
    return path


def served(environment, catalog: dict) -> None:
    """The service shows what the command does, traces a prediction that was just made, and tells of the run."""
    link = environment.json("catalog", "local", "--link")["url"]
    application = environment.root / "application.json"
    shutil.copyfile(ROOT / "examples/application.json", application)
    answer = environment.json("predict", "local", SYSTEM, str(application))
    address = link.partition("/login")[0]
    with httpx.Client(base_url=address, trust_env=False, follow_redirects=True) as browser:
        assert browser.get("/api/catalog").status_code == 401
        page = browser.get(link)
        assert page.status_code == 200
        assert SYSTEM in page.text
        served = browser.get("/api/catalog").json()
        assert {**served, "stage": "mature"} == catalog
        path = f"/api/lineage/prediction:{answer['request_id']}"
        # The gateway writes its log every few seconds.
        eventually(lambda: browser.get(path).status_code != 404, pause=0.5)
        found = browser.get(path)
        (run,) = catalog["runs"]
        assert came_from(found.json(), "consumer:underwriter-desk") == [
            f"prediction:{answer['request_id']}",
            f"version:{SYSTEM}/1",
            f"run:{run['id']}",
            f"snapshot:{run['data_version']}",
            f"source:{SYSTEM}/hmda",
        ]
        events = browser.get("/api/v1/events/lineage").json()["events"]
        assert [event["eventType"] for event in events] == ["COMPLETE", "START"]
        (made,) = events[0]["outputs"]
        assert made["facets"]["version"]["datasetVersion"] == "1"


def test_lineage_of_a_prediction_is_known_up_and_down(environment):
    up = environment.json("catalog", "local", SYSTEM)
    (version,), (run,) = up["versions"], up["runs"]
    assert up["missing"] == []
    assert (version["registered"], version["role"]) == (True, "champion")
    assert (run["id"], run["state"], run["data_version"]) == (version["run"], "succeeded", version["data_version"])
    assert version["commit"] is not None
    assert version["settings_hash"] is not None
    lineage = came_from(up, "consumer:underwriter-desk")
    assert lineage == [
        f"system:{SYSTEM}",
        f"release:{SYSTEM}/1",
        f"version:{SYSTEM}/1",
        f"run:{run['id']}",
        f"snapshot:{version['data_version']}",
        f"source:{SYSTEM}/hmda",
    ]
    features = [column["name"] for column in up["datasets"][0]["columns"] if column["role"] == "feature"]
    assert "pirat" in features
    assert not {"afam", "single", "deny"} & set(features)

    served(environment, up)

    environment.json("down", "local", "--yes", "--keep-data")
    down = environment.json("catalog", "local")
    assert down["missing"] == ["registry: not up"]
    assert came_from(down, "consumer:underwriter-desk") == lineage
    assert down["versions"][0]["registered"] is None
