"""The records that declare an environment, as `mlstrata.components.governance.environment` registers them."""

from collections.abc import Iterator

from mlstrata.environments.stages import added_by
from mlstrata.policies.core.facts import Environment
from mlstrata.policies.core.graph import Record

WHOLE = "urn:pulumi:prod::sample::mlstrata:governance:Environment::environment"


def declaration(environment: Environment) -> Iterator[Record]:
    """Yield them; none for a program that declares no stage: its name alone is known then."""
    facts = {
        "name": environment.name,
        "target": environment.target,
        "region": environment.region,
        "owner": environment.owner,
        "enforce": environment.enforcement.value,
        "retention": dict(environment.retention),
        "gpu_pools": dict(environment.gpu_pools),
        **({"mirror": environment.mirror} if environment.mirror else {}),
    }
    yield Record(WHOLE, "mlstrata:governance:Environment", "environment", inputs=facts)
    left = set(environment.capabilities)
    for stage in environment.stage.reached if environment.stage else ():
        brought = left.intersection(added_by(stage))
        left -= brought
        yield _beneath("Stage", stage.value, {"capabilities": sorted(brought)})
    for capability in sorted(left):
        yield _beneath("SwitchedOn", str(capability), {})


def _beneath(kind: str, name: str, inputs: dict) -> Record:
    type_ = f"mlstrata:governance:{kind}"
    return Record(f"urn:pulumi:prod::sample::{type_}::{name}", type_, name, WHOLE, inputs)
