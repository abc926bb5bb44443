"""The scoring of whole datasets on a cluster: a CronJob for each batch system."""

from __future__ import annotations

from pathlib import Path

from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.gpu.args import placement
from mlstrata.components.registry.job import FOLDER, job_of_system
from mlstrata.environments.spec.serving import ServingMode
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.services.batch.jobs import scoring_job
from mlstrata.services.serving.cluster import job_of


def build(site: ClusterSite) -> None:
    """Build the scoring of every batch system, at its times."""
    for system in site.spec.systems:
        if system.serving.mode is ServingMode.BATCH:
            _scoring(site, system)


def _scoring(site: ClusterSite, system: SystemSpec) -> None:
    job, asked = scoring_job(system, root=None, home=Path(FOLDER)), system.serving.resources
    job = job.model_copy(update={"keep": site.spec.retention.predictions.total_seconds()})
    job_of_system(
        site,
        system,
        job_of(system.name),
        system.scored_data,
        part="scoring",
        module="mlstrata.services.batch.cluster_job",
        settings=job.model_dump_json(indent=2, exclude_none=True) + "\n",
        schedule=system.serving.schedule,
        released=True,
        resources=site.cluster.sizes.serving(asked),
        placement=placement(site.spec.gpu_pools, asked.pool, asked.gpu, system.team),
    )
