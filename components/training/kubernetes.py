"""The training of systems on a cluster: a CronJob each, which pipelines may stop the clock of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.gpu.args import ACCELERATOR, accelerator_of, placement
from mlstrata.components.naming import forms
from mlstrata.components.registry.job import FOLDER, job_of_system
from mlstrata.components.registry.outputs import ClusterRegistryOutputs
from mlstrata.environments.spec.system import SystemSpec
from mlstrata.services.runner.commit import declared_commit
from mlstrata.services.runner.requests import training_request


def build(site: ClusterSite) -> None:
    """Build the training of every system that can be trained."""
    for system in site.spec.systems:
        if system.untrainable() is None:
            _training(site, system)


def _training(site: ClusterSite, system: SystemSpec) -> None:
    uri, folder = site.require(ClusterRegistryOutputs).uri, Path(FOLDER)
    commit = declared_commit(site.workspace, site.spec.name)
    request = training_request(
        site.spec.name, system, root=folder, home=folder, tracking_uri=uri, commit=commit, elsewhere=True
    )
    gpus, pool = request.settings.gpus, system.serving.resources.pool
    accelerator = accelerator_of(site.spec.gpu_pools, pool, gpus)
    job_of_system(
        site,
        system,
        forms.training(system.name),
        system.training_data,
        part="training",
        module="mlstrata.services.runner.job",
        settings=request.model_dump_json(indent=2, exclude_none=True) + "\n",
        schedule=system.model.schedule,
        trained=system.model.schedule is not None,
        resources=replace(site.cluster.size("training"), gpus=gpus),
        placement=placement(site.spec.gpu_pools, pool, gpus, system.team),
        labels={ACCELERATOR: accelerator} if accelerator else {},
    )
