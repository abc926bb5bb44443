"""What the runner tells of its runs, as OpenLineage events: START, then one of COMPLETE, FAIL and ABORT.

An event is made from what the store holds, with times and an identity of its own from there: told twice, it is the
same, and what a crash kept from being told is told at the next start.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from mlstrata.services.catalog.events import PRODUCER, SPEC, append, identity, iso, read_events
from mlstrata.services.runner.contract import Run, State, TrainingRequest
from mlstrata.services.runner.store import Store

_FACETS = "https://openlineage.io/spec/facets"
_ENDS = {State.SUCCEEDED: "COMPLETE", State.FAILED: "FAIL", State.CANCELLED: "ABORT"}
_LOOKED_AT = 200
"""Runs that are looked at for untold events: the newest."""


def events_of(run: Run, request: TrainingRequest) -> Iterator[dict[str, Any]]:
    """Yield what is to be told of a run so far: nothing before it starts, which a cancelled one may never do."""
    if run.started is None:
        return
    yield _event(run, request, "START", run.started)
    if run.state in _ENDS and run.ended is not None:
        yield _event(run, request, _ENDS[run.state], run.ended)


def _event(run: Run, request: TrainingRequest, kind: str, when: float) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if kind != "START":
        for artifact in (artifact for step in run.steps for artifact in step.artifacts):
            metadata = {**artifact.metadata, **metadata}
    return {
        "eventType": kind,
        "eventTime": iso(when),
        "producer": PRODUCER,
        "schemaURL": f"{SPEC}#/$defs/RunEvent",
        "run": {
            "runId": str(uuid5(NAMESPACE_URL, f"{PRODUCER}{request.environment}/runs/{run.id}")),
            "facets": _run_facets(run, kind),
        },
        "job": {
            "namespace": f"mlstrata/{request.environment}",
            "name": f"{run.system}.{run.pipeline}",
            "facets": {
                "jobType": _facet(
                    "2-0-4/JobTypeJobFacet", processingType="BATCH", integration="MLSTRATA", jobType="PIPELINE"
                )
            },
        },
        "inputs": [_input(request, metadata)],
        "outputs": list(_outputs(run, request, kind)),
    }


def _run_facets(run: Run, kind: str) -> dict[str, Any]:
    tags = {"run": run.id, "trigger": run.trigger}
    facets = {
        "tags": _facet(
            "1-0-0/TagsRunFacet",
            tags=[{"key": f"mlstrata.{key}", "value": value, "source": "MLSTRATA"} for key, value in tags.items()],
        )
    }
    if kind == "FAIL":
        # Not the step's own message: it may quote a row of somebody's data.
        failed = next((step.name for step in run.steps if step.state is State.FAILED), None)
        message = f"step {failed} failed" if failed else "the run ended outside its steps"
        facets["errorMessage"] = _facet("1-0-1/ErrorMessageRunFacet", message=message, programmingLanguage="Python")
    return facets


def _input(request: TrainingRequest, metadata: Mapping[str, Any]) -> dict[str, Any]:
    namespace, name = identity(request.source)
    uri = request.source if ":" in request.source else Path(request.source).as_uri()
    columns = [*metadata.get("features", request.features), *request.protected, request.target]
    facets = {
        "dataSource": _facet("1-0-1/DatasourceDatasetFacet", name=namespace, uri=uri),
        "schema": _facet(
            "1-2-0/SchemaDatasetFacet", fields=[{"name": str(column)} for column in dict.fromkeys(columns)]
        ),
    }
    if version := metadata.get("data_version"):
        facets["version"] = _facet("1-0-1/DatasetVersionDatasetFacet", datasetVersion=str(version))
    return {"namespace": namespace, "name": name, "facets": facets}


def _outputs(run: Run, request: TrainingRequest, kind: str) -> Iterator[dict[str, Any]]:
    version = (run.result or {}).get("version")
    if kind == "COMPLETE" and version:
        told = {"version": _facet("1-0-1/DatasetVersionDatasetFacet", datasetVersion=str(version))}
        yield {"namespace": request.tracking_uri, "name": f"models/{run.system}", "facets": told}


def _facet(schema: str, **values: object) -> dict[str, object]:
    name = schema.rpartition("/")[2]
    return {"_producer": PRODUCER, "_schemaURL": f"{_FACETS}/{schema}.json#/$defs/{name}", **values}


class Teller:
    """Appends the events of a runner's runs to a file, each once."""

    def __init__(self, store: Store, path: Path) -> None:
        self._store, self._path = store, path
        self._told = {(event["run"]["runId"], event["eventType"]) for event in read_events(path)}

    def catch_up(self) -> None:
        """Tell what a crash kept from being told."""
        for run in reversed(self._store.find(limit=_LOOKED_AT)):
            self.tell(run.id)

    def tell(self, run_id: str) -> None:
        """Tell what happened to a run and is not told yet. A full disk stops no run: the next start tells it."""
        run = self._store.get(run_id)
        if run is None:
            return
        for event in events_of(run, self._store.request(run_id)):
            key = (event["run"]["runId"], event["eventType"])
            if key in self._told:
                continue
            try:
                append(self._path, event)
            except OSError:
                logging.getLogger(__name__).exception("the lineage of run %s could not be told", run_id)
                return
            self._told.add(key)
