"""The runner's runs as OpenLineage events: START, then one of COMPLETE, FAIL and ABORT.

An event is made from what the store holds, with times and an identity of its own from there: emitted twice, it is the
same, and one that a crash kept back is emitted at the next start.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from mlstrata.services.catalog.events import PRODUCER, append, identity, iso, read_events
from mlstrata.services.runner.contract import Run, State, TrainingRequest
from mlstrata.services.runner.store import Store

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import RunFacet

_ENDS = {State.SUCCEEDED: "COMPLETE", State.FAILED: "FAIL", State.CANCELLED: "ABORT"}
_LOOKED_AT = 200
"""Runs that are looked at for events not emitted yet: the newest."""


def events_of(run: Run, request: TrainingRequest) -> Iterator[dict[str, Any]]:
    """Yield a run's events so far: none before it starts, which a cancelled one may never do."""
    if run.started is None:
        return
    yield _event(run, request, "START", run.started)
    if run.state in _ENDS and run.ended is not None:
        yield _event(run, request, _ENDS[run.state], run.ended)


def _event(run: Run, request: TrainingRequest, kind: str, when: float) -> dict[str, Any]:
    from openlineage.client import event_v2 as lineage
    from openlineage.client.facet_v2 import job_type_job
    from openlineage.client.serde import Serde

    metadata: dict[str, Any] = {}
    if kind != "START":
        for artifact in (artifact for step in run.steps for artifact in step.artifacts):
            metadata = {**artifact.metadata, **metadata}
    job_type = job_type_job.JobTypeJobFacet("BATCH", "MLSTRATA", "PIPELINE", producer=PRODUCER)
    event = lineage.RunEvent(
        eventType=lineage.RunState[kind],
        eventTime=iso(when),
        producer=PRODUCER,
        run=lineage.Run(
            str(uuid5(NAMESPACE_URL, f"{PRODUCER}{request.environment}/runs/{run.id}")), _run_facets(run, kind)
        ),
        job=lineage.Job(
            f"mlstrata/{request.environment}", f"{run.system}.{run.pipeline}", facets={"jobType": job_type}
        ),
        inputs=[_input(request, metadata)],
        outputs=list(_outputs(run, request, kind)),
    )
    return Serde.to_dict(event)


def _run_facets(run: Run, kind: str) -> dict[str, RunFacet]:
    from openlineage.client.facet_v2 import error_message_run, tags_run

    tags = {"run": run.id, "trigger": run.trigger}
    fields = [tags_run.TagsRunFacetFields(f"mlstrata.{key}", value, "MLSTRATA") for key, value in tags.items()]
    facets: dict[str, RunFacet] = {"tags": tags_run.TagsRunFacet(fields, producer=PRODUCER)}
    if kind == "FAIL":
        # Not the step's own message: it may quote a row of somebody's data.
        failed = next((step.name for step in run.steps if step.state is State.FAILED), None)
        message = f"step {failed} failed" if failed else "the run ended outside its steps"
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(message, "Python", producer=PRODUCER)
    return facets


def _input(request: TrainingRequest, metadata: Mapping[str, Any]) -> InputDataset:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import DatasetFacet, dataset_version_dataset, datasource_dataset, schema_dataset

    namespace, name = identity(request.source)
    uri = request.source if ":" in request.source else Path(request.source).as_uri()
    columns = dict.fromkeys([*metadata.get("features", request.features), *request.protected, request.target])
    fields = [schema_dataset.SchemaDatasetFacetFields(str(one)) for one in columns]
    facets: dict[str, DatasetFacet] = {
        "dataSource": datasource_dataset.DatasourceDatasetFacet(namespace, uri, producer=PRODUCER),
        "schema": schema_dataset.SchemaDatasetFacet(fields, producer=PRODUCER),
    }
    if version := metadata.get("data_version"):
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(str(version), producer=PRODUCER)
    return InputDataset(namespace, name, facets=facets)


def _outputs(run: Run, request: TrainingRequest, kind: str) -> Iterator[OutputDataset]:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import dataset_version_dataset

    version = (run.result or {}).get("version")
    if kind == "COMPLETE" and version:
        facet = dataset_version_dataset.DatasetVersionDatasetFacet(str(version), producer=PRODUCER)
        yield OutputDataset(request.tracking_uri, f"models/{run.system}", facets={"version": facet})


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
        try:
            self._tell(run_id)
        except Exception:
            # Nor does a run that an older version wrote keep the others from being told.
            logging.getLogger(__name__).exception("the lineage of run %s could not be told", run_id)

    def _tell(self, run_id: str) -> None:
        run = self._store.get(run_id)
        if run is None:
            return
        for event in events_of(run, self._store.request(run_id)):
            key = (event["run"]["runId"], event["eventType"])
            if key not in self._told:
                append(self._path, event)
                self._told.add(key)
