"""What an environment on a cluster adds when it is switched on: backups, features, the organisation's secrets."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pulumi

from mlstrata.components.upstream.bill import BILL, piece
from mlstrata.components.upstream.image_values import image_values, merged
from mlstrata.components.upstream.mirror import Mirror
from mlstrata.components.upstream.runtime import SERVING
from mlstrata.environments import EnvironmentSpec, Workspace, load
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, record

ROOT = Path(__file__).parents[3]
DEV = ROOT / "environments/dev.yaml"


def graph_of(**changes) -> Graph:
    values = load(DEV).model_dump(mode="json", by_alias=True)
    spec = EnvironmentSpec.model_validate({**values, **changes})

    def program() -> None:
        for name, value in plan(spec, Workspace(ROOT)).items():
            pulumi.export(name, value)

    return record(program, stack="dev")


@cache
def plain() -> Graph:
    return graph_of()


@cache
def switched() -> Graph:
    declared = load(DEV).model_dump(mode="json", by_alias=True)["capabilities"]
    on = ["backup", "secrets", "feature_store", "distributed_training"]
    return graph_of(capabilities={**declared, "on": sorted({*declared["on"], *on})})


def test_switching_on_changes_nothing_that_is_there():
    later = {one.urn: (one.parent, one.inputs) for one in switched().resources}
    for one in plain().resources:
        assert later[one.urn] == (one.parent, one.inputs), one.name
    assert len(later) > len(plain().resources)


def test_without_alerts_nothing_is_declared_for_an_operator_that_is_not_there():
    kinds = {"ServiceMonitor", "PodMonitor"}
    assert {one.type.rpartition(":")[2] for one in plain().resources} >= kinds
    graph = graph_of(capabilities={"off": ["alerts", "monitoring"]})
    found = {one.type for one in graph.resources if one.type.startswith("kubernetes:monitoring.coreos.com")}
    assert not found, "no cluster knows these kinds without it"
    assert not [one for one in graph.resources if one.name == "kube-prometheus-stack"]


def test_each_secret_that_is_referred_to_comes_from_the_organisations_store():
    graph = switched()
    taken = {
        (one.inputs["metadata"]["namespace"], one.inputs["metadata"]["name"]): {
            entry["secretKey"] for entry in one.inputs["spec"]["data"]
        }
        for one in graph.all("ExternalSecret")
    }
    asked = {(one["namespace"], one["name"]): set(one["keys"]) for one in graph.exports["references"]}
    assert taken == {at: keys for at, keys in asked.items() if at[1] != "token-keys"}
    assert ("mlstrata-dev", "mlflow-access") in taken


def test_a_backup_reads_its_dump_back_before_it_is_sent():
    job = switched().one("CronJob", "backup").inputs["spec"]
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    script = pod["initContainers"][0]["args"][0]
    assert script.index("pg_dump") < script.index("pg_restore --list")
    assert pod["containers"][0]["args"][1] == "--to=s3://example-mlstrata-dev/backups/database"
    assert job["timeZone"] == "Etc/UTC"


def test_the_objects_of_a_store_of_the_clusters_own_are_copied_onto_a_volume_beside_it():
    assert "backup-objects" not in {one.name for one in switched().resources}, "its service keeps them"
    graph = graph_of(capabilities={"on": ["backup"]}, storage={"kind": "s3", "versioning": False})
    spec = graph.one("CronJob", "backup").inputs["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert [one["name"] for one in spec["initContainers"]] == ["dump", "upload"], "what the registry knows comes first"
    (last,) = spec["containers"]
    assert last["command"][-1] == "mlstrata.services.backup.objects"
    assert last["args"] == ["--bucket=mlstrata-dev", "--folder=/copies", "--keep=14"]
    volume = {"name": "copies", "persistentVolumeClaim": {"claimName": "backup-objects"}}
    assert volume in spec["volumes"]
    claim = graph.one("PersistentVolumeClaim", "backup-objects")
    assert claim.inputs["metadata"]["annotations"]["mlstrata.io/retained"] == "true"
    assert claim.inputs["metadata"]["labels"]["mlstrata.io/data-classification"] == "personal"
    restore = graph.one("CronJob", "backup-restore-objects").inputs["spec"]
    (back,) = restore["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert restore["suspend"] is True
    assert back["args"] == ["--bucket=mlstrata-dev", "--folder=/copies", "--restore=newest"]
    kept = graph_of(capabilities={"on": ["backup"]}, storage={"kind": "s3", "encryption_key": "arn:aws:kms:eu:1:key/2"})
    assert "--versioning" in str(kept.one("CronJob", "backup-restore-objects").inputs), "as the bucket was made"
    told = kept.one("PersistentVolumeClaim", "backup-objects").inputs["metadata"]["annotations"]
    assert told["mlstrata.io/encryption-key"] == "arn:aws:kms:eu:1:key/2", "one class has the volumes of both"


def test_each_container_of_ours_has_a_folder_for_temporary_files():
    lacking = []
    for one in switched().resources:
        for pod in _pods(one.inputs):
            for container in [*pod["containers"], *pod.get("initContainers", [])]:
                variables = {each["name"]: each.get("value") for each in container.get("env", [])}
                writable = {each["mountPath"] for each in container.get("volumeMounts", []) if not each.get("readOnly")}
                folder = variables.get("TMPDIR", "/tmp")  # noqa: S108 - as a container has it
                if container["image"].startswith("ghcr.io/mlstrata/") and folder not in writable:
                    lacking.append((one.name, container["name"]))
    assert lacking == []


def _pods(inputs: Any) -> Iterator[dict[str, Any]]:
    """Yield the pods that an object declares, however deep."""
    if isinstance(inputs, dict):
        if "containers" in inputs:
            yield inputs
        for value in inputs.values():
            yield from _pods(value)
    elif isinstance(inputs, list):
        for value in inputs:
            yield from _pods(value)


def test_a_restore_waits_for_somebody_and_is_all_or_nothing():
    job = switched().one("CronJob", "backup-restore").inputs["spec"]
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    assert job["suspend"] is True
    assert "--restore=newest" in pod["initContainers"][0]["args"]
    assert "--single-transaction" in pod["containers"][0]["args"][0]


def test_the_database_lets_in_exactly_its_clients():
    (opening,) = [one for one in switched().all("NetworkPolicy") if one.name == "database-callers"]
    (rule,) = opening.inputs["spec"]["ingress"]
    labels = [peer.get("podSelector", {}).get("matchLabels") for peer in rule["from"]]
    assert {"app.kubernetes.io/name": "mlflow"} in labels
    assert {"app.kubernetes.io/name": "backup"} in labels
    assert rule["ports"] == [{"port": 5432, "protocol": "TCP"}]


def test_admission_names_each_image_that_has_no_digest_yet():
    policy = plain().one("ValidatingAdmissionPolicy", "admission-images").inputs["spec"]
    tagged = next(one["expression"] for one in policy["variables"] if one["name"] == "tagged")
    assert "ghcr.io/mlstrata/runtime" in tagged
    binding = plain().one("ValidatingAdmissionPolicyBinding", "admission-images-binding").inputs["spec"]
    assert binding["validationActions"] == ["Deny"]
    spaces = {one.inputs["metadata"]["name"]: one.inputs["metadata"]["labels"] for one in plain().all("Namespace")}
    held = {name for name, labels in spaces.items() if "mlstrata.io/operators" not in labels}
    assert held == {"mlstrata-dev", "mlstrata-dev-lending", "mlstrata-dev-service-desk"}


def test_everything_comes_from_the_mirror_where_there_is_one():
    mirror = {"registry": "registry.example.com/mlstrata", "files": "https://files.example.com/mlstrata"}
    graph = graph_of(mirror=mirror)
    for one in graph.all("Release"):
        assert one.inputs["chart"].startswith("oci://registry.example.com/mlstrata/charts/"), one.name
    for one in [*graph.all("ConfigFile"), *graph.all("Directory")]:
        assert str(one.inputs).count("https://files.example.com/mlstrata/"), one.name
    deployment = graph.one("StatefulSet", "mlflow").inputs["spec"]["template"]["spec"]
    assert deployment["containers"][0]["image"].startswith("registry.example.com/mlstrata/ghcr.io/mlstrata/runtime")


def test_each_chart_is_told_the_mirrors_images_and_keeps_its_values():
    registry, on = "registry.example.com/mlstrata", ["secrets", "distributed_training"]
    mirror = {"registry": registry, "files": "https://files.example.com/mlstrata"}
    before = {one.name: one.inputs for one in graph_of(capabilities={"on": on}).all("Release")}
    after = {one.name: one.inputs for one in graph_of(capabilities={"on": on}, mirror=mirror).all("Release")}
    assert before.keys() == after.keys()
    installs = {one.name: one for one in BILL}
    told = 0
    for name, inputs in after.items():
        images = Mirror(registry, mirror["files"]).piece(installs[name]).images if name in installs else ()
        for image in images:
            told += bool(image.helm_values)
            expected = image_values([image])
            assert merged(inputs["values"], expected) == inputs["values"], image
        # Nothing else is different.
        offered = Mirror(registry, mirror["files"]).piece(installs[name]).offered if name in installs else ()
        assert inputs["values"] == merged(before[name].get("values", {}), image_values((*images, *offered))), name
    assert told > 20


def test_node_exporter_runs_the_image_of_the_bill():
    """Its chart would put an ending behind the tag."""
    values = plain().one("Release", "kube-prometheus-stack").inputs["values"]["prometheus-node-exporter"]
    assert values["image"] == {"distroless": False}
    assert values["prometheus"]["monitor"]["additionalLabels"] == {"mlstrata.io/environment": "dev"}
    assert "distroless" not in piece("kube-prometheus-stack").image("node-exporter").tag


def test_a_denied_licence_leaves_its_piece_out():
    licences = {"deny": ["AGPL-3.0-only", "BUSL-1.1"]}
    names = {one.name for one in graph_of(licences=licences).all("Release")}
    assert piece("grafana").licence == "AGPL-3.0-only"
    assert "grafana" not in names
    assert "grafana" in {one.name for one in plain().all("Release")}


def test_pods_that_answer_have_an_image_of_their_own():
    def answering(graph: Graph) -> dict[str, set[str]]:
        pods = {
            one.inputs["metadata"]["name"]: one.inputs["spec"]["predictors"] for one in graph.all("SeldonDeployment")
        }
        return {
            name: {each["image"] for pod in _pods(found) for each in [*pod["containers"], *pod["initContainers"]]}
            for name, found in pods.items()
        }

    assert set(map(frozenset, answering(plain()).values())) == {frozenset({str(SERVING)})}
    own = {what: f"registry.example.com/{what}/it@sha256:{'a' * 64}" for what in ("runtime", "serving")}
    graph = graph_of(images={"runtime": own["runtime"]})
    assert set(map(frozenset, answering(graph).values())) == {frozenset({own["runtime"]})}, "it holds all"
    graph = graph_of(images=own)
    assert set(map(frozenset, answering(graph).values())) == {frozenset({own["serving"]})}
    (declared,) = [one for one in graph.resources if one.type == "mlstrata:governance:Environment"]
    assert declared.inputs["registries"] == ["registry.example.com/runtime", "registry.example.com/serving"]
