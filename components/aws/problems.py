"""What a valid file may ask of AWS that it cannot have, told before anything is planned."""

from __future__ import annotations

from collections.abc import Iterator

from mlstrata.components.aws.instances import problems as of_pools
from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.regions import EU_REGIONS
from mlstrata.environments.spec.target import AwsTarget


def problems(spec: EnvironmentSpec) -> Iterator[str]:
    """Yield each as `path: got …; allowed …`; nothing of an environment that is elsewhere."""
    target = spec.target
    if not isinstance(target, AwsTarget):
        return
    yield from _outside(spec, target)
    yield from of_pools(spec.gpu_pools)
    for at, role in enumerate(target.admins):
        if (account := role.split(":")[4]) != target.account:
            yield (
                f"target.admins[{at}]: got a role of account {account}; a cluster lets in roles of its own account, "
                f"{target.account}"
            )
    if target.budget is not None and not spec.owner:
        yield f"target.budget: got {target.budget}, and nobody to tell of it; name the environment's owner"


def _outside(spec: EnvironmentSpec, target: AwsTarget) -> Iterator[str]:
    """Yield the first dataset that must stay in the EU, where the environment is in no region of it."""
    if target.region in EU_REGIONS:
        return
    for system in spec.systems:
        for dataset in system.data:
            if (dataset.region or "").startswith("eu"):
                yield (
                    f"target.region: got {target.region}, but dataset '{dataset.name}' of {system.name} must stay in "
                    f"the EU (region: {dataset.region}); allowed {', '.join(EU_REGIONS)}"
                )
                return
