"""No deployment that our models accept breaks a rule of Seldon's webhook."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mlstrata.components.serving.seldon import Deployment, manifest
from mlstrata.components.serving.seldon.graph import (
    BuiltIn,
    ExplainerType,
    LogMode,
    Protocol,
    Server,
    Transport,
    UnitType,
)
from tests.support.seldon_rules import broken

NAMES = st.sampled_from(["a", "b", "champion", "challenger", "x" * 30])
CONTAINERS = st.builds(
    lambda image, gpu, env: {"image": image, "gpu": gpu, "env": env},
    st.sampled_from(["a/b:1", "r.example:5000/a/b:v1.2", "a/b@sha256:" + "0" * 64]),
    st.integers(0, 2),
    st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["1", ""]), max_size=2),
)
PARAMETERS = st.builds(
    lambda name, value: {"name": name, "value": value},
    st.sampled_from(["ratioA", "epsilon", "n"]),
    st.booleans() | st.integers(-5, 5) | st.floats(0, 1) | st.sampled_from(["x", "1"]),
)
LOGGERS = st.builds(
    lambda mode, url: {"mode": mode, "url": url}, st.sampled_from([*LogMode]), st.none() | st.just("http://x:1/y")
)


def _values(kind: type) -> st.SearchStrategy[Any]:
    return st.none() | st.sampled_from([*kind])  # type: ignore[misc]


def _units(children: st.SearchStrategy[Any] | None) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"name": NAMES, "type": st.sampled_from([*UnitType])},
        optional={
            "server": _values(Server),
            "built_in": _values(BuiltIn),
            "model_uri": st.none() | st.just("s3://m/1"),
            "container": st.none() | CONTAINERS,
            "parameters": st.lists(PARAMETERS, max_size=2),
            "logger": st.none() | LOGGERS,
            "children": st.lists(children, max_size=3) if children is not None else st.just([]),
        },
    )


# Any graph at all, and graphs of which most are sound, so that both sides of each rule are met often.
ANY_GRAPH = st.recursive(_units(None), _units, max_leaves=4)
LEAVES = st.builds(
    lambda name, made: {"name": name, **made},
    NAMES,
    st.builds(lambda one: {"container": one}, CONTAINERS)
    | st.builds(lambda one: {"server": one, "model_uri": "s3://m/1"}, st.sampled_from([*Server]))
    | st.just({"built_in": "SIMPLE_MODEL"}),
)
SOUND = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda kind, container, children: {
            "name": f"{kind.value.lower().replace('_', '-')}-{len(str(children))}",
            "type": kind,
            "container": container,
            "children": [{**one, "name": f"{one['name']}-{at}"} for at, one in enumerate(children)][
                : 1 if "TRANSFORMER" in kind.value else None
            ],
        },
        st.sampled_from([UnitType.ROUTER, UnitType.COMBINER, UnitType.TRANSFORMER, UnitType.OUTPUT_TRANSFORMER]),
        CONTAINERS,
        st.lists(inner, min_size=2, max_size=3),
    ),
    max_leaves=5,
)
SOUND_SCALING = st.sampled_from(
    [
        {},
        {"replicas": 2},
        {"hpa": {"min": 1, "max": 3}},
        {"keda": {"max": 2, "triggers": [{"type": "t", "metadata": {}}]}},
    ]
)
SCALING = SOUND_SCALING | st.fixed_dictionaries(
    {}, optional={"replicas": st.integers(0, 3), "hpa": st.just({"max": 2})}
)
PREDICTORS = st.builds(
    lambda name, graph, traffic, shadow, scaling, explainer, engine: {
        "name": name,
        "graph": graph,
        **({} if traffic is None else {"traffic": traffic}),
        "shadow": shadow,
        "engine": engine,
        "explainer": explainer and {"type": explainer},
        **scaling,
    },
    NAMES,
    SOUND | SOUND | ANY_GRAPH,
    st.none() | st.sampled_from([0, 10, 40, 50, 60, 90, 100]) | st.integers(-1, 101),
    st.sampled_from([False, False, True]),
    SCALING,
    _values(ExplainerType),
    st.sampled_from([True, True, False]),
)


def _mended(predictors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give every unit and predictor a name of its own, and the traffic a sum of 100."""
    shares = {1: [None], 2: [30, 70], 3: [100, 0, 0]}[len(predictors)]
    return [
        {**one, "name": f"p{at}", "graph": _named(one["graph"]), "shadow": False, "traffic": share, "engine": True}
        for at, (one, share) in enumerate(zip(predictors, shares, strict=True))
    ]


def _named(unit: dict[str, Any], path: str = "u") -> dict[str, Any]:
    children = [_named(child, f"{path}{at}") for at, child in enumerate(unit.get("children", []))]
    return {**unit, "name": path, "children": children}


DEPLOYMENTS = st.builds(
    lambda name, predictors, protocol, transport: {
        "name": name,
        "namespace": "lending",
        "predictors": predictors,
        "protocol": protocol,
        "transport": transport,
    },
    NAMES,
    st.lists(PREDICTORS, min_size=1, max_size=3).flatmap(lambda some: st.sampled_from([some, _mended(some)])),
    st.sampled_from([*Protocol]),
    st.sampled_from([*Transport]),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DEPLOYMENTS)
def test_what_is_accepted_breaks_no_rule(fields: dict[str, Any]):
    try:
        deployment = Deployment.model_validate(fields)
    except ValidationError:
        return
    assert broken(manifest(deployment)) == []


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(SOUND, SOUND_SCALING), min_size=1, max_size=3), st.sampled_from([Protocol.SELDON, Protocol.V2])
)
def test_what_is_sound_is_accepted_and_breaks_no_rule(
    parts: list[tuple[dict[str, Any], dict[str, Any]]], protocol: Protocol
):
    predictors = _mended([{"graph": graph, **scaling} for graph, scaling in parts])
    fields = {"name": "mortgage", "namespace": "lending", "predictors": predictors, "protocol": protocol}
    made = manifest(Deployment.model_validate(fields))
    assert broken(made) == []
    assert made == manifest(Deployment.model_validate(fields))
