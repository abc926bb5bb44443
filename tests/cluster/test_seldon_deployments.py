"""What the Seldon builder makes is taken by a real API server, every field of it known."""

from typing import Any

import pytest

from mlstrata.components.serving.seldon import (
    Container,
    Deployment,
    Disruption,
    Explainer,
    Hpa,
    Keda,
    Predictor,
    Trigger,
    Unit,
    bandit,
    canary,
    guarded,
    logged,
    manifest,
    shadowed,
)
from tests.support.cluster import Cluster

SPACE = "seldon-test"
MODEL = Container(image="docker.io/example/model:1.0", gpu=1)


@pytest.fixture(scope="module", autouse=True)
def namespace(cluster: Cluster) -> None:
    cluster.must([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}])


def unit(name: str = "model") -> Unit:
    return Unit(name=name, container=MODEL)


def predictor(name: str, **fields: Any) -> Predictor:
    return Predictor.model_validate({"name": name, "graph": unit(), **fields})


TRIGGER = Trigger(type="prometheus", metadata={"query": "up", "threshold": "1"})
SHAPES: dict[str, tuple[Predictor, ...]] = {
    "canary": canary(predictor("champion", hpa=Hpa(max=3)), predictor("challenger"), 5),
    "shadow": shadowed(predictor("champion", disruption=Disruption()), predictor("challenger"), 20),
    "bandit": (predictor("bandit", graph=bandit("router", [unit("a"), unit("b")], MODEL)),),
    "guarded": (predictor("champion", graph=logged(guarded("outliers", MODEL, unit()), "http://recorder:8080")),),
    "scaled": (predictor("champion", keda=Keda(max=2, triggers=(TRIGGER,))),),
    "server": (
        predictor(
            "champion",
            graph={"name": "m", "server": "MLFLOW_SERVER", "model_uri": "s3://models/1", "env_secret": "store"},
            explainer=Explainer.model_validate({"type": "AnchorTabular", "model_uri": "s3://explainers/1"}),
        ),
    ),
    "bare": (predictor("champion", engine=False),),
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_taken(cluster: Cluster, name: str):
    made = manifest(Deployment(name=name, namespace=SPACE, predictors=SHAPES[name]))
    cluster.must([made])
    kept = cluster.get("seldondeployment", name, SPACE)
    assert kept["spec"] == made["spec"]
    unchanged = cluster.apply([made])
    assert unchanged.code == 0, unchanged.err


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("predictors", 0, "replica"), ".spec.predictors[0].replica: field not declared"),
        (("predictors", 0, "graph", "model_uri"), ".graph.model_uri: field not declared"),
        (("predictors", 0, "componentSpecs", 0, "hpaSpec", "maxReplica"), "hpaSpec.maxReplica"),
    ],
)
def test_a_typo_is_refused_by_the_server(cluster: Cluster, path: tuple[Any, ...], message: str):
    made = manifest(Deployment(name="typo", namespace=SPACE, predictors=(predictor("champion", hpa=Hpa(max=3)),)))
    place = made["spec"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = "1"
    answer = cluster.apply([made])
    assert answer.code != 0
    assert message in answer.err
