"""The bill of materials of the model: CycloneDX 1.6 with its model card, data and locked dependencies.

Its serial number comes from its content, and it has no time of its own: the same facts give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from mlstrata.evidence import measured
from mlstrata.evidence.blocks import plain
from mlstrata.evidence.facts import Evidence, ModelVersion

_LONGEST_VERSION = 1024
"""What the schema allows."""


def bill(evidence: Evidence) -> dict[str, Any]:
    """Return the bill as a JSON document."""
    datasets = [_dataset(one) for one in _mappings(evidence.get("data"))]
    packages = [
        {"type": "library", "bom-ref": f"pkg:{one.name}", "name": one.name, "version": one.version,
         "purl": f"pkg:pypi/{one.name}@{one.version}"}
        for one in sorted(evidence.packages, key=lambda one: one.name)
    ]  # fmt: skip
    version = evidence.version
    model: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": plain(evidence.name),
        "version": plain(version.version)[:_LONGEST_VERSION] if version else "none registered",
        "description": plain(evidence.get("purpose")),
        "modelCard": _card(evidence, [one["bom-ref"] for one in datasets]),
    }
    if version:
        lineage = {"run": version.run, "pipeline_run": version.pipeline_run, "commit": version.commit,
                   "code_commit": version.code_commit, "data_version": version.data_version}  # fmt: skip
        model["properties"] = [
            {"name": f"mlstrata:{key}", "value": plain(text)} for key, text in lineage.items() if text
        ]
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": model},
        "components": [*datasets, *packages],
        "dependencies": [{"ref": "model", "dependsOn": [one["bom-ref"] for one in (*datasets, *packages)]}],
    }
    content = json.dumps(document, sort_keys=True)
    return {**document, "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, content)}"}


def _card(evidence: Evidence, datasets: list[str]) -> dict[str, Any]:
    learnt = evidence.get("model.target") or evidence.get("model.outputs")
    approach = {"type": "supervised"} if learnt else None
    parameters = {
        "approach": approach,
        "task": evidence.get("model.task"),
        "architectureFamily": evidence.get("model.algorithm"),
        "datasets": [{"ref": ref} for ref in datasets],
    }
    version = evidence.version
    gaps = measured.gaps(version) if version else ()
    limits = evidence.get("constraints")
    considerations: dict[str, Any] = {
        "useCases": [plain(evidence.get("purpose"))],
        "technicalLimitations": [plain(one) for one in limits] if isinstance(limits, list | tuple) else [],
        "fairnessAssessments": [
            {"groupAtRisk": plain(one.name), "harms": f"largest difference between its groups: {one.value:.6g}"}
            for one in gaps
        ],
    }
    return {
        "modelParameters": {key: value for key, value in parameters.items() if value},
        "quantitativeAnalysis": {"performanceMetrics": _metrics(version) if version else []},
        "considerations": considerations,
    }


def _metrics(version: ModelVersion) -> list[dict[str, Any]]:
    """Return figures with their intervals, those of each group, and the gates' other figures."""
    found = [_metric(one.name, one.value, one.low, one.high) for one in measured.measures(version)]
    for one in measured.by_group(version):
        slice_ = f"{plain(one.attribute)} = {plain(one.group)}"
        found.append({**_metric(one.rate, one.value, one.low, one.high), "slice": slice_})
    return found + [_metric(name, value) for name, value in measured.others(version).items()]


def _metric(name: str, value: float, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"type": plain(name), "value": f"{value:.6g}"}
    if low is not None and high is not None:
        found["confidenceInterval"] = {"lowerBound": f"{low:.6g}", "upperBound": f"{high:.6g}"}
    return found


def _dataset(declared: Mapping[str, Any]) -> dict[str, Any]:
    name = plain(declared.get("name"))
    sensitive = [plain(one) for one in declared.get("special_categories") or ()]
    data: dict[str, Any] = {"type": "dataset", "name": name, "classification": plain(declared.get("classification"))}
    if sensitive:
        data["sensitiveData"] = sensitive
    return {
        "type": "data",
        "bom-ref": f"data:{name}",
        "name": name,
        "description": plain(declared.get("description")),
        "data": [data],
    }


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []
