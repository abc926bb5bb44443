"""The graph of the shipped dev environment at stage scale, with all of it that is built for clusters."""

from functools import cache
from pathlib import Path

import pulumi

from mlstrata.components.capability import built
from mlstrata.environments import EnvironmentSpec, Stage, Workspace, load
from mlstrata.environments.stages import capabilities_of
from mlstrata.stacks.program import plan
from tests.support.recorded import Graph, record

ROOT = Path(__file__).parents[2]


@cache
def at_scale() -> Graph:
    values = load(ROOT / "environments/dev.yaml").model_dump(mode="json", by_alias=True)
    unbuilt = sorted(capabilities_of(Stage.SCALE) - built("kubernetes"))
    spec = EnvironmentSpec.model_validate({**values, "stage": "scale", "capabilities": {"off": unbuilt}})

    def program() -> None:
        for name, value in plan(spec, Workspace(ROOT)).items():
            pulumi.export(name, value)

    return record(program, stack=spec.name)
