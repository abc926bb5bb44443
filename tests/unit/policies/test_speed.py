"""A check is one pass: ten times the resources are about ten times the work."""

import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType

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


def lines_run(count: int) -> int:
    """How many lines a check of `count` worlds runs, each turn of a comprehension one: the same on any machine."""
    environment, records = many(count)
    seen = 0

    def trace(frame: FrameType, event: str, arg: object) -> Callable[..., object]:
        nonlocal seen
        seen += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        evaluate(records, environment, Calendar.on(TODAY), rules=RULES)
    finally:
        sys.settrace(before)
    return seen


def test_work_grows_with_the_number_of_resources_and_no_faster():
    environment, records = many(1)
    evaluate(records, environment, Calendar.on(TODAY), rules=RULES)  # what is imported or compiled once is not counted
    # One pass in which every record looks at every other makes it more than 11x.
    assert lines_run(30) < 10.5 * lines_run(3)
