"""What answers for a system on a cluster: what Seldon Core 1.17.1 demands of one predictor with one unit."""

from mlstrata.components.serving.seldon import BUSY, deployment
from mlstrata.environments.spec.serving import Replicas

POD = {"containers": [{"name": "model", "image": "docker.io/example/model:1.0"}]}


def predictor(replicas: Replicas) -> dict:
    made = deployment("mortgage", "lending", POD, replicas, labels={"a": "b"}, annotations={})
    assert made["metadata"] == {"name": "mortgage", "namespace": "lending"}
    (only,) = made["spec"]["predictors"]
    return only


def test_the_unit_is_a_container_of_the_pod_and_a_single_predictor_takes_all_of_the_traffic():
    made = predictor(Replicas(min=2, max=2))
    assert made["graph"]["name"] in {one["name"] for one in made["componentSpecs"][0]["spec"]["containers"]}
    assert "implementation" not in made["graph"], "no server of Seldon's loads the model"
    assert made["traffic"] == 100


def test_a_fixed_number_of_copies_is_the_predictors_and_a_changing_one_the_autoscalers():
    fixed, scaled = predictor(Replicas(min=2, max=2)), predictor(Replicas(min=2, max=6))
    assert fixed["replicas"] == 2
    assert "hpaSpec" not in fixed["componentSpecs"][0]
    assert "replicas" not in scaled, "two would fight"
    of = scaled["componentSpecs"][0]["hpaSpec"]
    assert (of["minReplicas"], of["maxReplicas"]) == (2, 6)
    assert of["metricsv2"][0]["resource"]["target"]["averageUtilization"] == BUSY
