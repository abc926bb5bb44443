"""A render as Kustomizations of Flux: one for each component, chart and set of definitions, by what each depends on.

A Kustomization cannot depend on a HelmRelease, nor the other way round: each chart is in a folder of its own, and so a
Kustomization's, which is ready when the release is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlstrata.operations.render.files import CHARTED, FLUX, KUSTOMIZATION, kustomization
from mlstrata.operations.render.units import Unit, named, waves

ROOT = "flux.yaml"
"""What is applied by hand, or committed where Flux looks already; it brings all others."""
NAMESPACE = "flux-system"
EVERY, RETRY, TIMEOUT = "10m", "1m", "15m"


@dataclass(frozen=True)
class Flux:
    """Where Flux finds a render.

    Attributes:
        repo: Address of the git repository; empty: the one that Flux was bootstrapped with.
        revision: Its branch; for a repository of Flux's own it says nothing.
        path: The render's folder in it.
    """

    repo: str
    revision: str
    path: str

    def files(self, environment: str, units: Sequence[Unit]) -> Mapping[str, Sequence[Any]]:
        """Return each file with its documents.

        Raises:
            Failed: some of the units come after each other.
        """
        waves(units)
        root = self._kustomization(environment, environment, FLUX, prune=True)
        found: dict[str, Sequence[Any]] = {ROOT: [*([self._source(environment)] if self.repo else []), root]}
        for one in units:
            folder = one.folder or f"{CHARTED}/{one.name}"
            made = self._kustomization(environment, named(environment, one.name), folder, prune=not one.stays)
            if one.after:
                made["spec"]["dependsOn"] = [{"name": named(environment, other)} for other in one.after]
            if one.ignored:
                made["spec"]["ignore"] = [{"paths": list(rule.pointers), "target": rule.target} for rule in one.ignored]
            found[f"{FLUX}/{one.name}.yaml"] = [made]
            if not one.folder and one.chart is not None:
                repository, release = _chart(named(environment, one.name), one.chart)
                found[f"{folder}/repository.yaml"], found[f"{folder}/release.yaml"] = [repository], [release]
                found[f"{folder}/{KUSTOMIZATION}"] = [kustomization(["release.yaml", "repository.yaml"])]
        return found

    def _source(self, environment: str) -> dict[str, Any]:
        spec = {"url": self.repo, "ref": {"branch": self.revision}, "interval": EVERY}
        return _object("source.toolkit.fluxcd.io/v1", "GitRepository", environment, spec)

    def _kustomization(self, environment: str, name: str, folder: str, *, prune: bool) -> dict[str, Any]:
        spec = {
            "sourceRef": {"kind": "GitRepository", "name": environment if self.repo else NAMESPACE},
            "path": f"./{self.path}/{folder}".replace("//", "/"),
            "interval": EVERY,
            "retryInterval": RETRY,
            "timeout": TIMEOUT,
            "prune": prune,
            "wait": True,
        }
        return _object("kustomize.toolkit.fluxcd.io/v1", "Kustomization", name, spec)


def _object(version: str, kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": dict(spec)}


def _chart(name: str, chart: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    repository, _, within = str(chart["chart"]).rpartition("/")
    remote = {"type": "oci", "url": repository} if repository.startswith("oci://") else {"url": chart["repository"]}
    source = _object("source.toolkit.fluxcd.io/v1", "HelmRepository", name, {**remote, "interval": "1h"})
    skipped = "Skip" if chart["skipCrds"] else "CreateReplace"
    spec = {
        "releaseName": chart["name"],
        "targetNamespace": chart["namespace"],
        "storageNamespace": chart["namespace"],
        "interval": EVERY,
        "timeout": TIMEOUT,
        "chart": {
            "spec": {
                "chart": within,
                "version": chart["version"],
                "sourceRef": {"kind": "HelmRepository", "name": name},
            }
        },
        "install": {"crds": skipped, "createNamespace": False, "remediation": {"retries": 3}},
        "upgrade": {"crds": skipped, "remediation": {"retries": 3}},
        **({"values": chart["values"]} if chart["values"] else {}),
    }
    return source, _object("helm.toolkit.fluxcd.io/v2", "HelmRelease", name, spec)
