"""A check is one pass: ten times the resources take about ten times as long."""

import time
from dataclasses import replace

from mlstrata.policies.core.dates import Calendar
from mlstrata.policies.core.evaluate import evaluate
from mlstrata.policies.fixtures.compliant_world import TODAY, compliant
from mlstrata.policies.rules import RULES


def many(count: int):
    """The compliant world over and over, each with names of its own."""
    world, found = compliant(), []
    for turn in range(count):
        urns = {one.urn: f"{one.urn}-{turn}" for one in world.resources.values()}
        for one in world.resources.values():
            inputs = dict(one.inputs)
            if "bucket" in inputs:
                inputs["bucket"] += f"-{turn}"
            if one.type.endswith("AISystem"):
                inputs["name"] += f"-{turn}"
            ties = {key: tuple(urns[urn] for urn in of) for key, of in one.property_dependencies.items()}
            new = {"urn": urns[one.urn], "parent": urns.get(one.parent, ""), "property_dependencies": ties}
            found.append(replace(one, inputs=inputs, **new))
    return world.environment, found


def best_of(turns: int, count: int) -> float:
    environment, records = many(count)
    took = []
    for _ in range(turns):
        started = time.process_time()
        evaluate(records, environment, Calendar.on(TODAY), rules=RULES)
        took.append(time.process_time() - started)
    return min(took)


def test_time_grows_with_the_number_of_resources_and_no_faster():
    best_of(1, 10)
    # 11x is what it is to be; the rest is room for a busy machine. A quadratic pass takes 40x here.
    assert best_of(3, 130) < 16 * best_of(5, 13)
