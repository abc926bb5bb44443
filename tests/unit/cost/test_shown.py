"""`mlstrata cost`: what is printed, and what a change of a file costs against a git revision."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from mlstrata.cli.main import main
from mlstrata.operations.cost.document import GROUPS
from mlstrata.operations.cost.prices import SHIPPED, read
from mlstrata.operations.cost.reckon import reckon
from mlstrata.operations.deployment import Deployment
from tests.support.priced import table_of

ROOT = Path(__file__).parents[3]


def git(folder, *arguments):
    own = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *own, *arguments], check=True, capture_output=True)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A repository with `staging`, committed, and a table of prices of its own."""
    (tmp_path / "environments").mkdir()
    shutil.copy(ROOT / "environments/staging.yaml", tmp_path / "environments")
    (tmp_path / "data").symlink_to("/nowhere")  # leads out of the repository: it is not followed
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "staging")
    (tmp_path / "prices.yaml").write_text(yaml.safe_dump(table_of()))
    monkeypatch.setenv("MLSTRATA_WORKSPACE", str(tmp_path))
    return tmp_path


def answer(capsys, *arguments):
    assert main(["cost", "staging", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_shipped_staging_by_component_system_and_team(workspace, capsys):
    found = answer(capsys)
    assert found["prices"].startswith(f"{workspace}/prices.yaml" if Path.cwd() != workspace else "prices.yaml")
    assert {"gpu", "serving", "registry", "database", "monitoring"} <= found["by_component"].keys()
    # Its pods hold one GPU of the pool's three: 700 hours at 1.
    assert found["by_component"]["gpu"] == {"low": "700.00", "high": "2100.00"}
    assert {"mortgage-approval", "ticket-routing"} <= found["by_system"].keys()
    assert {"lending", "service-desk"} <= found["by_team"].keys()
    assert main(["cost", "staging"]) == 0
    text = capsys.readouterr().out
    assert "USD a month" in text
    assert "not priced" in text


def test_a_doubled_pool_is_told_in_a_pull_request(workspace, capsys):
    file = workspace / "environments/staging.yaml"
    file.write_text(file.read_text().replace("nodes: {min: 0, max: 3}", "nodes: {min: 0, max: 6}"))
    changed = answer(capsys, "--diff", "HEAD")["difference"]
    assert {one["component"] for one in changed["parts"]} == {"gpu"}
    grown = float(changed["after"]["high"]) - float(changed["before"]["high"])
    assert (grown, changed["after"]["low"]) == (2100.0, changed["before"]["low"])
    assert main(["cost", "staging", "--diff", "HEAD", "--markdown"]) == 0
    text = capsys.readouterr().out
    assert "+0.00 to +2,100.00 since HEAD" in text
    assert "| gpu | shared | lending |" in text


def test_the_shipped_prod_has_a_measure_for_every_kind():
    found = reckon(Deployment.open("prod"), read(SHIPPED))
    assert not [one for one in found.not_priced if "no measure is known" in one.why]
    assert found.by(GROUPS["component"])["gpu"].high > found.by(GROUPS["component"])["gpu"].low > 0
    assert {"lending", "service-desk"} <= found.by(GROUPS["team"]).keys()
    spots = {one.name.removesuffix("/spot") for one in read(SHIPPED).prices if one.name.endswith("/spot")}
    assert spots <= {one.name for one in read(SHIPPED).prices}


def test_an_environment_that_was_not_there_costs_all_of_it(workspace, capsys):
    other = (workspace / "environments/staging.yaml").rename(workspace / "environments/other.yaml")
    other.write_text(other.read_text().replace("name: staging", "name: other"))
    assert main(["cost", "other", "--diff", "HEAD", "--json"]) == 0
    changed = json.loads(capsys.readouterr().out)["difference"]
    assert changed["before"] == {"low": "0.00", "high": "0.00"}
    assert changed["not_priced"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--prices", "nowhere.yaml"), "nowhere.yaml: there is no such file"),
        (("--diff", "no-such-branch"), "name a commit, branch or tag"),
        (("--diff", "--output=x"), "name a commit, branch or tag"),
        (("--markdown", "--json"), "give one of them"),
    ],
)
def test_a_mistake_is_one_message(workspace, capsys, arguments, said):
    assert main(["cost", "staging", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert not (workspace / "x").exists()
