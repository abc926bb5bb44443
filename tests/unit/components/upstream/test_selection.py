"""Which pieces an environment takes, and which licences stop it."""

import itertools

import pytest

from mlstrata.components.upstream.bill import BILL, piece
from mlstrata.components.upstream.mirror import reference
from mlstrata.components.upstream.selection import select
from mlstrata.environments import Capability, EnvironmentSpec, Stage
from mlstrata.environments.spec.platform_wide import LicencesSpec

ACCEPTED = LicencesSpec().accept


def spec(**fields: object) -> EnvironmentSpec:
    base = {"name": "test", "target": {"kind": "kubernetes", "context": "c"}, "stage": "foundation"}
    return EnvironmentSpec.model_validate({**base, **fields})


def names(**fields: object) -> set[str]:
    return {one.piece.name for one in select(spec(**fields)).taken}


def test_the_stage_decides_through_its_capabilities():
    assert "kubeflow-pipelines" not in names(stage="prerequisites")
    assert "kubeflow-pipelines" in names(stage="foundation")
    assert "feast" not in names(stage="scale")
    assert "feast" in names(stage="mature")


@pytest.mark.parametrize("stage", list(Stage))
def test_moving_up_only_adds(stage: Stage):
    reached = [names(stage=one.value) for one in stage.reached]
    assert all(lower <= higher for lower, higher in itertools.pairwise(reached))


def test_a_capability_that_is_not_used_brings_nothing():
    assert "kuberay" in names()
    used = select(spec(), frozenset({Capability.REGISTRY}))
    assert {one.piece.name for one in used.taken} == {"cloudnative-pg", "postgres", "seaweedfs", "mlflow"}


def test_what_the_organisation_brings_is_not_installed_beside_it():
    aws = {"kind": "aws", "region": "eu-central-1", "account": "123456789012"}
    own = {"kind": "s3", "endpoint": "https://objects.example.com"}
    assert "seaweedfs" in names()
    assert "seaweedfs" not in names(storage=own)
    target = {"kind": "kubernetes", "context": "ml", "database": {"host": "db.example.com"}}
    assert "cloudnative-pg" in names()
    assert "cloudnative-pg" not in names(target=target)
    assert "postgres" in names(target=target), "its tools make the backups"
    assert not {"cloudnative-pg", "seaweedfs"} & names(target=aws)


def test_targets_differ():
    pool = [{"name": "train", "accelerator": "nvidia-l4"}]
    assert "karpenter" not in names(gpu_pools=pool)
    aws = {"kind": "aws", "region": "eu-central-1", "account": "123456789012"}
    assert {"karpenter", "dcgm-exporter"} <= names(gpu_pools=pool, target=aws)
    assert names(target={"kind": "local"}) == set()


def test_a_piece_can_be_named():
    assert "keda" not in names()
    assert "keda" in names(upstream=[{"name": "keda"}])


def test_an_unknown_piece_is_refused_with_those_there_are():
    found = select(spec(upstream=[{"name": "seldon"}])).problems
    assert len(found) == 1
    assert found[0].startswith("upstream[0].name: got 'seldon'; allowed cert-manager, ")


def test_the_defaults_stop_nothing():
    for stage in Stage:
        assert select(spec(stage=stage.value)).problems == ()


BUSL_PIN = [{"name": "seldon-core", "version": "1.18.2"}]


def test_a_business_licence_is_refused_by_the_defaults_and_says_why():
    (problem,) = select(spec(upstream=BUSL_PIN)).problems
    assert problem.startswith("licences.deny: seldon-core 1.18.2 is under BUSL-1.1 (")
    assert "no production use" in problem
    assert problem.endswith("take seldon-core 1.17.1, which is Apache-2.0")


def test_a_business_licence_must_be_accepted_by_name():
    (problem,) = select(spec(upstream=BUSL_PIN, licences={"deny": []})).problems
    assert problem.startswith("licences.accept: seldon-core 1.18.2 is under BUSL-1.1")
    # Whoever accepts it need not take it out of what is denied by default; the others stay there.
    assert spec(licences={"accept": ["BUSL-1.1"]}).licences.deny == ("SSPL-1.0", "Elastic-2.0")
    assert select(spec(upstream=BUSL_PIN, licences={"accept": ["BUSL-1.1"]})).problems == ()
    agreed = {"deny": [], "accept": [*ACCEPTED, "BUSL-1.1"]}
    selection = select(spec(upstream=BUSL_PIN, licences=agreed))
    assert selection.problems == ()
    assert selection["seldon-core"].version == "1.18.2"
    assert next(one.note for one in selection.taken if one.piece.name == "seldon-core")


def test_network_copyleft_is_named_and_can_be_denied():
    taken = {one.piece.name: one.note for one in select(spec()).taken}
    assert "over the network" in taken["grafana"]
    assert taken["cert-manager"] == ""
    denied = select(spec(stage="scale", licences={"deny": ["AGPL-3.0-only"]}))
    assert [one.piece.name for one in denied.left_out] == ["grafana", "loki"]
    assert all(one.without for one in denied.left_out)
    assert "grafana" not in denied
    assert denied.problems == ()


def test_a_needed_piece_under_a_denied_licence_stops_the_environment():
    (problem,) = select(spec(licences={"accept": ["MIT"], "deny": ["GPL-2.0-only"]})).problems
    assert problem.startswith("licences.deny: mysql 8.4 is under GPL-2.0-only, which is denied")


def test_a_chart_with_numbers_of_its_own_is_asked_for():
    (problem,) = select(spec(upstream=[{"name": "cloudnative-pg", "version": "1.31.0"}])).problems
    assert problem.startswith("upstream[0].version: got '1.31.0', but the chart cloudnative-pg numbers itself apart")
    named = [{"name": "cloudnative-pg", "version": "1.31.0", "chart": "0.30.0"}]
    assert select(spec(upstream=named))["cloudnative-pg"].chart.version == "0.30.0"


def test_the_mirror_and_the_lock_meet():
    digest = "sha256:" + "a" * 64
    operator = piece("seldon-core").image("seldon-core-operator")
    mirrored = {"registry": "r.example/m", "files": "https://f.example"}
    found = select(spec(mirror=mirrored), None, {reference(operator): digest})["seldon-core"]
    assert str(found.images[0]) == f"r.example/m/docker.io/seldonio/seldon-core-operator:1.17.1@{digest}"
    assert found.chart.repository == "oci://r.example/m/charts"


def test_what_is_not_taken_cannot_be_asked_for():
    with pytest.raises(KeyError, match="takes no upstream piece 'keda'"):
        _ = select(spec())["keda"]


def test_every_piece_can_be_taken():
    pool = [{"name": "train", "accelerator": "nvidia-l4"}]
    aws = {"kind": "aws", "region": "eu-central-1", "account": "123456789012"}
    on = {"on": ["secrets"]}
    everything = names(stage="mature", target=aws, gpu_pools=pool, capabilities=on, upstream=[{"name": "keda"}])
    # What a cloud brings itself is made on a cluster that brings nothing.
    assert everything | names() == {one.name for one in BILL}


def test_what_is_locked_is_what_charts_run_without_a_mirror_too():
    """CloudNativePG puts its own image into the platform's pods: by its tag, the rule on images would refuse them."""
    digest = "sha256:" + "a" * 64
    plain, locked = (
        select(spec(), digests=digests)["cloudnative-pg"].chart.values
        for digests in ({}, {"ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0": digest})
    )
    assert plain == {}
    assert locked == {"image": {"repository": "ghcr.io/cloudnative-pg/cloudnative-pg", "tag": f"1.30.0@{digest}"}}
    one_of_many = select(spec(), digests={"quay.io/jetstack/cert-manager-webhook:v1.21.1": digest})["cert-manager"]
    assert set(one_of_many.chart.values) == {"webhook"}, "of what is not locked its own default holds"
