"""Whatever the graph is like, a check ends with a verdict of every policy, in every form of report."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlstrata.policies.core.dates import Calendar, Enforcement
from mlstrata.policies.core.evaluate import evaluate
from mlstrata.policies.core.facts import Environment
from mlstrata.policies.core.graph import Graph, Record, Resource
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.core.values import SECRET, UNKNOWN
from mlstrata.policies.fixtures.compliant_world import TODAY, compliant
from mlstrata.policies.reports import FORMATS, render
from mlstrata.policies.reports.places import Places
from mlstrata.policies.rules import IDS, RULES

TYPES = sorted({record.type for record in compliant().resources.values()} | {kind for r in RULES for kind in r.types})
KEYS = sorted(
    {"metadata", "spec", "labels", "tags", "policy", "rules", "containers", "template", "name", "risk", "data"}
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 400), st.text(max_size=8), st.just(UNKNOWN), st.just(SECRET)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)),
    max_leaves=12,
)
QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
CALENDAR = Calendar.on(TODAY, Enforcement.NOW)


def paths(value, path=()):
    """Every place inside a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from paths(inner, (*path, key))


def put(value, path, new):
    """A copy of a value with one place changed."""
    if not path:
        return new
    key, *rest = path
    if isinstance(value, dict):
        return {**value, key: put(value[key], rest, new)}
    return [put(inner, rest, new) if at == key else inner for at, inner in enumerate(value)]


@QUICK
@given(st.data())
def test_no_shape_of_input_breaks_a_check(data):
    """One place of the compliant world holds something else: every policy still says something."""
    world = compliant()
    name = data.draw(st.sampled_from(sorted(world.resources)))
    record = world.resources[name]
    path = data.draw(st.sampled_from([(), *paths(record.inputs)]))
    new = data.draw(VALUES if path else st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4))
    world.resources[name] = replace(record, inputs=put(record.inputs, path, new))
    report = evaluate(world.resources.values(), world.environment, CALENDAR, rules=RULES)
    assert set(report.worst) == IDS
    for form in FORMATS:
        render([(report, Places())], form)


@QUICK
@given(st.lists(st.tuples(st.sampled_from(TYPES), VALUES), max_size=6))
def test_random_resources_of_known_types(resources):
    records = [
        Record(f"u:{at}", kind, f"r{at}", inputs=inputs if isinstance(inputs, dict) else {"spec": inputs})
        for at, (kind, inputs) in enumerate(resources)
    ]
    report = evaluate(records, Environment("prod"), CALENDAR, rules=RULES)
    assert set(report.worst) == IDS


@QUICK
@given(st.randoms())
def test_the_order_of_resources_changes_no_outcome(random):
    world = compliant()
    records = list(world.resources.values())
    random.shuffle(records)
    systems = [one for one in records if one.type.endswith("AISystem")]
    rest = [one for one in records if not one.type.endswith("AISystem")]
    report = evaluate(systems + rest, world.environment, CALENDAR, rules=RULES)
    assert not [one for one in report.results if one.outcome is Outcome.FAIL]


OPTIONS = {"classification": "internal", "owner": "a", "cost_centre": "1", "certificate_secret": "c"}


def mended(rule, record):
    """A resource as a policy's remedies leave it; the same record where they leave it alone."""
    for remedy in rule.remedies:
        after = remedy.of(Resource(record, Graph([record])), OPTIONS)
        record = record if after is None else replace(record, inputs=after)
    return record


@QUICK
@given(st.data())
def test_a_mended_resource_passes_and_is_mended_once(data):
    """Whatever is odd about one resource: what a policy mends, it passes then, and mends no further."""
    world = compliant()
    rule = data.draw(st.sampled_from([rule for rule in RULES if rule.remedies]))
    types = tuple(kind for remedy in rule.remedies for kind in remedy.types)
    name = data.draw(st.sampled_from(sorted(n for n, one in world.resources.items() if one.type.startswith(types))))
    record = world.resources[name]
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(paths(record.inputs))))
        record = replace(record, inputs=put(record.inputs, path, data.draw(VALUES)))
    before = repr(record.inputs)
    after = mended(rule, record)
    assert repr(record.inputs) == before
    assert mended(rule, after) is after
    if after is record:
        return
    world.resources[name] = after
    report = evaluate(world.resources.values(), world.environment, CALENDAR, rules=[rule])
    told = [
        one for one in report.results if one.outcome is Outcome.FAIL and name in (one.subject, one.urn[-len(name) :])
    ]
    assert not told, [one.reason for one in told]
