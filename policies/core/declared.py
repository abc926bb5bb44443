"""What a program says about its environment, read from the resources that it registers: no file is needed.

`mlstrata:governance:Environment` holds the facts of the whole, a `Stage` beneath it each stage that is reached with its
capabilities, a `SwitchedOn` each capability beside them. The documents that its systems name are files beside the
program, and are looked into.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from mlstrata.environments import Stage
from mlstrata.environments.days import ZONE
from mlstrata.environments.spec.environment import FRAMEWORKS
from mlstrata.environments.spec.text import Zone
from mlstrata.policies.core.dates import Enforcement
from mlstrata.policies.core.documents import read
from mlstrata.policies.core.facts import Environment
from mlstrata.policies.core.graph import SYSTEM_TYPE, Record
from mlstrata.policies.core.values import Value

ENVIRONMENT_TYPE = ":governance:Environment"
SUBSTRATE_TYPE = ":aws:Substrate"
"""The ground of an environment in a cloud, in a stack of its own: it tells the same facts, and has no capabilities."""
STAGE_TYPE = ":governance:Stage"
SWITCHED_ON_TYPE = ":governance:SwitchedOn"


class _Facts(BaseModel):
    model_config = ConfigDict(extra="ignore", arbitrary_types_allowed=False)

    name: str
    target: str
    region: str
    timezone: Zone = ZONE
    frameworks: tuple[str, ...] = FRAMEWORKS
    production: bool | None = None
    owner: str
    enforce: Enforcement
    retention: dict[str, float]
    gpu_pools: dict[str, int]
    mirror: str = ""
    registries: tuple[str, ...] = ()
    storage_key: str = ""
    signature_policy: str = ""
    documents_days: float = 0
    cost_centre: str = ""
    labels: dict[str, str] = {}


class _Reached(BaseModel):
    capabilities: frozenset[str]


def declared(records: Iterable[Record], root: Path, stack: str = "") -> Environment:
    """Return what a program declares about its environment.

    A program that declares none is called after its stack, has no stage, and its duties block today; so is one whose
    declaration is not what `mlstrata:governance:Environment` holds.

    Args:
        records: All its resources.
        root: The folder that paths of documents start from.
        stack: Its stack.
    """
    found = list(records)
    documents = read(_named(found), root)
    of_ground = [one for one in found if one.type.endswith(SUBSTRATE_TYPE)]
    facts = next((one.inputs for one in (*_environments(found), *of_ground)), None)
    strict = Environment(name=stack, documents=documents)
    if facts is None:
        return strict
    try:
        given = _Facts.model_validate(dict(facts))
        stages = {
            Stage(one.name): _Reached.model_validate(dict(one.inputs)) for one in found if one.type.endswith(STAGE_TYPE)
        }
        switched_on = {one.name for one in found if one.type.endswith(SWITCHED_ON_TYPE)}
    except (ValidationError, ValueError):
        return strict
    return Environment(
        name=given.name,
        target=given.target,
        region=given.region,
        timezone=given.timezone,
        frameworks=given.frameworks,
        production=given.production,
        stage=max(stages, key=lambda stage: stage.rank, default=None),
        capabilities=frozenset(switched_on.union(*(reached.capabilities for reached in stages.values()))),
        enforcement=given.enforce,
        retention=given.retention,
        owner=given.owner,
        documents=documents,
        gpu_pools=given.gpu_pools,
        mirror=given.mirror,
        registries=given.registries,
        storage_key=given.storage_key,
        signature_policy=given.signature_policy,
        documents_days=given.documents_days,
        cost_centre=given.cost_centre,
        labels=given.labels,
    )


def _environments(records: Iterable[Record]) -> Iterator[Record]:
    yield from (one for one in records if one.type.endswith(ENVIRONMENT_TYPE))


def _named(records: Iterable[Record]) -> Iterator[str]:
    """Yield the path of every document that a declared system names."""
    for one in records:
        if not one.type.endswith(SYSTEM_TYPE):
            continue
        risk, documents = _mapping(one.inputs.get("risk")), _mapping(one.inputs.get("documents"))
        paths = (*documents.values(), _mapping(risk.get("exemption")).get("memo"))
        yield from (path for path in paths if isinstance(path, str) and path)


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}
