"""From answers to an environment's file that its target can make, and what it leaves open."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlstrata.environments.assessment import Answers, Assessment


def judge(answers: Answers) -> Assessment:
    """Return what answers lead to, with what their target has."""
    from mlstrata.components.capability import built
    from mlstrata.environments.assessment import assess

    return assess(answers, built(answers["target"]))


def refused(result: Assessment) -> list[str]:
    """Return what `mlstrata plan` would refuse of the file, each with its fix."""
    from mlstrata.environments import loads
    from mlstrata.stacks.preconditions import problems

    return [] if result.yaml is None else problems(loads(result.yaml.encode(), "assessed").spec)


def left_open(result: Assessment) -> list[str]:
    """Return what the file leaves open so that it cannot be planned yet."""
    return [f"to be filled in before it is planned: {one}" for one in refused(result)]
