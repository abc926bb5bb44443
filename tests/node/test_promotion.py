"""A released version goes on to a second environment of the same cluster, is released there and scores."""

import yaml

from tests.support.cluster import Json
from tests.support.node.database import Database
from tests.support.node.environment import BATCH, HERE, NAME, RELEASER, SECRETS
from tests.support.node.jobs import Job
from tests.support.node.node import Node
from tests.support.node.workstation import Workstation

SPACE, TEAM = "ml-next", "ml-next-lending"
OFF = ["monitoring", "alerts", "pipelines", "gpu_pools", "gateway", "serving", "plausibility", "backup"]


def test_a_promoted_version_scores_in_the_second_environment(
    machine: Node, workstation: Workstation, database: Database, trained: Json
) -> None:
    document = yaml.safe_load((workstation.folder / "environments/dev.yaml").read_text(encoding="utf-8"))
    document |= {"name": "next", "systems": [one for one in document["systems"] if one["name"] == BATCH]}
    document["target"] |= {"namespace": SPACE}
    # A cluster has one of each operator: of this one the first environment has them.
    document["capabilities"] = {"off": OFF}
    (workstation.folder / "environments/next.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    exemptions = workstation.folder / "policies/exemptions.yaml"
    text = (HERE / "exemptions.yaml").read_text(encoding="utf-8")
    exemptions.write_text(
        text.replace("[dev]", "[dev, next]").replace("match: backup-objects", "match: '*'"), encoding="utf-8"
    )
    workstation.bring(
        {(space.replace("ml-dev", "ml-next"), name): values for (space, name), values in SECRETS.items()}
        | {(SPACE, "database"): database.another("next")}
    )
    workstation.do("up", "next", "--yes")
    why = ("--reason", "it did well", "--yes", "--json")
    workstation.do("release", NAME, BATCH, "--version", "1", *why, user=RELEASER)
    promoted = workstation.do("promote", NAME, BATCH, "--to", "next", *why).json
    assert promoted["created"] is True
    assert promoted["evidence"]["approvals"]
    workstation.do("release", "next", BATCH, "--version", promoted["version"], *why)
    scored = Job.start(machine, f"scoring-{BATCH}", TEAM, "scores").result("scored")
    assert (scored["version"], scored["refused"]) == (promoted["version"], 0)
    workstation.do("down", "next", "--yes")
