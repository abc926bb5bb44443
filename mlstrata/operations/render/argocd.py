"""A render as Applications of Argo CD: one for each component, chart and set of definitions, in waves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlstrata.operations.render.files import ARGOCD
from mlstrata.operations.render.units import Ignored, Unit, named, waves

ROOT = "argocd.yaml"
"""The one Application that is applied by hand; it brings all others."""
HERE, NAMESPACE = "https://kubernetes.default.svc", "argocd"
WAVE = "argocd.argoproj.io/sync-wave"


@dataclass(frozen=True)
class ArgoCD:
    """Where Argo CD finds a render.

    Attributes:
        repo: Address of the git repository.
        revision: Branch, tag or commit.
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
        wave = waves(units)
        found = {f"{ARGOCD}/{one.name}.yaml": [self._application(environment, one, wave[one.name])] for one in units}
        root = _application(environment, self._folder(ARGOCD), prune=True)
        return {ROOT: [root], **found}

    def _folder(self, folder: str) -> dict[str, Any]:
        return {"repoURL": self.repo, "targetRevision": self.revision, "path": f"{self.path}/{folder}".lstrip("/")}

    def _application(self, environment: str, unit: Unit, wave: int) -> dict[str, Any]:
        chart = unit.chart
        source = self._folder(unit.folder) if unit.folder or chart is None else _chart(chart)
        made = _application(
            named(environment, unit.name),
            source,
            prune=not unit.stays,
            namespace=chart.get("namespace") if chart else None,
            ignored=unit.ignored,
        )
        made["metadata"]["annotations"][WAVE] = str(wave)
        return made


def _application(
    name: str,
    source: Mapping[str, Any],
    *,
    prune: bool,
    namespace: str | None = None,
    ignored: Sequence[Ignored] = (),
) -> dict[str, Any]:
    # Applied by the server, and compared with what it would make of them: what it fills in is no difference.
    options = ["CreateNamespace=false", "ServerSideApply=true", "RespectIgnoreDifferences=true"]
    spec: dict[str, Any] = {
        "project": "default",
        "source": dict(source),
        "destination": {"server": HERE, **({"namespace": namespace} if namespace else {})},
        "syncPolicy": {
            "automated": {"prune": prune, "selfHeal": True},
            "syncOptions": options,
            "retry": {"limit": 10, "backoff": {"duration": "10s", "factor": 2, "maxDuration": "5m"}},
        },
    }
    if ignored:
        spec["ignoreDifferences"] = [{**one.target, "jsonPointers": list(one.pointers)} for one in ignored]
    annotations = {"argocd.argoproj.io/compare-options": "ServerSideDiff=true"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": annotations},
        "spec": spec,
    }


def _chart(chart: Mapping[str, Any]) -> dict[str, Any]:
    address = str(chart["chart"])
    # Argo CD names an OCI registry without its scheme, and the chart apart.
    repository, _, name = address.removeprefix("oci://").rpartition("/")
    helm: dict[str, Any] = {"releaseName": chart["name"], "skipCrds": chart["skipCrds"]}
    if chart["values"]:
        helm["valuesObject"] = chart["values"]
    return {
        "repoURL": repository if address.startswith("oci://") else chart["repository"],
        "chart": name,
        "targetRevision": chart["version"],
        "helm": helm,
    }
