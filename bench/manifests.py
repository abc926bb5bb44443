"""Kubernetes manifests of any number, for the comparison of `mlstrata check` with other checkers."""

from __future__ import annotations

from pathlib import Path

import yaml

from mlstrata.policies.fixtures.compliant_world import compliant

GROUPLESS = "core/v1"


def write(folder: Path, count: int) -> int:
    """Write `count` manifests, of the kinds and shapes of the policies' compliant world, one file a resource.

    Every tenth workload has a fault that all checkers look for: it may gain privileges.

    Returns:
        How many of them have that fault.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples = [one for one in compliant().resources.values() if one.type.startswith("kubernetes:")]
    faults = workloads = 0
    for at in range(count):
        sample = samples[at % len(samples)]
        _, version, kind = sample.type.split(":")
        manifest = yaml.safe_load(yaml.safe_dump(dict(sample.inputs)))  # a copy of its own
        manifest["apiVersion"], manifest["kind"] = (
            version.removeprefix("core/") if version == GROUPLESS else version,
            kind,
        )
        manifest["metadata"]["name"] = name = f"{sample.name}-{at}"
        manifest["metadata"].setdefault("namespace", "lending")
        if kind == "Deployment":
            workloads += 1
            if workloads % 10 == 0:
                container = manifest["spec"]["template"]["spec"]["containers"][0]
                container["securityContext"]["allowPrivilegeEscalation"] = True
                faults += 1
        text = yaml.safe_dump(manifest, sort_keys=False)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return faults
