"""dev, staging and prod's platform layer, by Pulumi's own CLI and Kubernetes provider, on a real API server.

Each environment has a control plane of its own with the kinds that an organisation brings; what no registry of packages
has comes from the environment's own mirror. dev and prod are made by `mlstrata up`, staging by `pulumi up`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlstrata.policies.core.kinds import is_expanded
from tests.support.cluster import Json
from tests.support.deployed import SKIP_CHECKPOINTS, Deployed, kill, world
from tests.support.inventory import claimed, identified, inventory
from tests.support.mirror import WITH_POD
from tests.support.policy_ways import told_by_check, told_by_cli
from tests.support.rendered import ROOT, Key
from tests.support.states import deployment, differences

NOW = ("--yes", "--skip-preview")
CRD = "CustomResourceDefinition"
ANSWERING = 2
"""Systems of each shipped environment that answer requests."""
KEPT = {
    "dev": {"Namespace", "NetworkPolicy", "Cluster", "Prometheus", CRD},
    "staging": {"Namespace", "NetworkPolicy", "Cluster", "Prometheus", CRD},
    "prod": {"Namespace", "NetworkPolicy", "Prometheus", CRD},
}
"""What holds data; prod's database is its cloud's."""


@pytest.fixture
def environment(request: pytest.FixtureRequest, tmp_path: Path, pulumi_bin: Path) -> Iterator[Deployed]:
    """Give a shipped environment of which nothing is deployed, and end by holding its mirror against what was asked."""
    with world(tmp_path / "world") as there:
        yield Deployed.of(there, request.param, tmp_path / "workspace", pulumi_bin)
        asked = set(there.site.asked) - {"/v2/"}
        assert asked
        assert asked <= set(there.site.answers), "the stand-ins lack something"


def of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("environment", [name], indirect=True)


def layer(one: Deployed) -> tuple[str, ...]:
    """What a command is told where the environment has a substrate, which the test gives and no provider makes."""
    return ("--layer", "platform") if one.name == "prod" else ()


def up(one: Deployed) -> dict[str, int]:
    """Bring it up by our own command; return what became of how many resources."""
    done = one.mlstrata("up", one.name, *layer(one), "--yes", "--json")
    assert done.code == 0, done.text
    counts: dict[str, int] = done.json["counts"]
    assert not deployment(one.checkpoint).get("pending_operations")
    return counts


def down(one: Deployed) -> None:
    """Take it down by our own command."""
    done = one.mlstrata("down", one.name, *layer(one), "--yes")
    assert done.code == 0, done.text


def steps(plan: Json) -> dict[str, str]:
    """Return what a plan changes; providers are no part of an environment."""
    found = {step["urn"]: step["op"] for step in plan["steps"] if step["op"] != "same"}
    return {urn: op for urn, op in found.items() if "::pulumi:providers:" not in urn}


def agree(one: Deployed) -> None:
    """Hold plan and policies against those of the CLI, from what the state has now."""
    events = one.folder / "events.json"
    events.unlink(missing_ok=True)
    asked = ("preview", "-s", one.name, "--json", "--policy-pack", str(ROOT / "policies"))
    theirs = steps(one.cli.do(*asked, "--event-log", str(events), PULUMI_DEBUG_COMMANDS="true").json)
    ours = steps(one.mlstrata("plan", one.name, *layer(one), "--json").json)
    assert ours
    assert list(differences(ours, {urn: op for urn, op in theirs.items() if not is_expanded(urn)})) == []
    assert any(map(is_expanded, theirs)), "the CLI shows what is inside bundles"
    (report,) = one.mlstrata("check", one.name, *layer(one), "--json").json
    assert report["not_inspected"]
    assert told_by_cli(events) == told_by_check(report)


def settled(one: Deployed) -> None:
    """A look at what is there finds nothing to change."""
    one.cli.do("preview", "-s", one.name, "--refresh", "--expect-no-changes")


def destroyed(one: Deployed, before: set[Key], destroy: Callable[[], object]) -> dict[Key, str]:
    """Destroy it: what is retained is left as it was, and nothing else; return that."""
    cluster = one.world.cluster
    there, retained = identified(cluster), one.retained()
    # Helm, too, never deletes the definitions of a chart: with them every object of their kinds would go.
    wanted = (retained | {each for each in there if each[1] == CRD}) - before
    destroy()
    left = identified(cluster)
    own = left.keys() - before
    assert own - claimed(wanted, own) == wanted
    assert {kind for _, kind, _, _ in wanted} >= KEPT[one.name]
    assert [each for each in wanted if left[each] != there[each]] == []
    return {each: left[each] for each in own}


def climbed(one: Deployed, move: Callable[[], dict[str, int]], *, new: str) -> None:
    """Move up a stage: nothing is replaced or deleted, and what was there is there; `new` is what is made.

    Changed is at most what predicts: its settings and its pods, which are told of the recorder.
    """
    cluster = one.world.cluster
    there = identified(cluster)
    counts = move()
    assert counts[new] > 5
    changed = counts.pop("update", 0) + counts.pop("updated", 0)
    assert changed <= 2 * ANSWERING
    assert set(counts) <= {new, "same", "unchanged"}
    assert there.items() <= identified(cluster).items()


@of("dev")
def test_dev_survives_its_update_and_its_data_outlives_it(environment: Deployed) -> None:
    one, cluster = environment, environment.world.cluster
    before = inventory(cluster)
    one.at("foundation")
    agree(one)

    # Killed in the middle: pods wait, so an operator is half installed and deployments are being made.
    assert cluster.kubectl("cordon", "node").code == 0
    running = one.start_mlstrata("up", one.name, "--yes", **{SKIP_CHECKPOINTS: "false"})

    def half_made() -> bool:
        assert running.poll() is None, one.said()
        begun = ("get", "secrets", "-n", WITH_POD, "-l", "owner=helm,status=pending-install", "-o", "name")
        return bool(cluster.kubectl(*begun).out) and one.recorded() > 50

    cluster.eventually("half of it", half_made)
    kill(running)
    assert deployment(one.checkpoint)["pending_operations"]
    assert cluster.kubectl("uncordon", "node").code == 0
    counts = up(one)
    assert set(counts) <= {"create", "same"}
    assert sum(counts.values()) > 250

    # There it stays.
    assert set(up(one)) == {"same"}
    settled(one)

    # What holds data outlives it, and the next one has it.
    left = destroyed(one, before, lambda: down(one))
    counts = up(one)
    assert set(counts) == {"create"}
    assert left.items() <= identified(cluster).items()
    settled(one)


@of("staging")
def test_staging_comes_climbs_and_goes_by_typed_commands(environment: Deployed) -> None:
    one = environment
    before = inventory(one.world.cluster)
    one.at("prerequisites")
    assert set(one.do("up", *NOW)) == {"created"}
    one.at("scale")
    agree(one)
    climbed(one, lambda: one.do("up", *NOW), new="created")
    settled(one)
    destroyed(one, before, lambda: one.do("destroy", *NOW))


@of("prod")
def test_the_platform_of_prod_stands_on_its_substrate(environment: Deployed) -> None:
    one = environment
    before = inventory(one.world.cluster)
    one.stand_on_aws()
    one.at("prerequisites")
    assert set(one.do("up", *NOW)) == {"created"}
    one.at("scale")
    agree(one)
    climbed(one, lambda: up(one), new="create")
    one.at("mature")
    climbed(one, lambda: up(one), new="create")
    settled(one)
    destroyed(one, before, lambda: down(one))
