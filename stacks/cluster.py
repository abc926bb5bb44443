"""An environment on a cluster: one that exists already, or one that its cloud's substrate made."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pulumi

from mlstrata.components.capability import planned
from mlstrata.components.cluster import Cluster, Ownership
from mlstrata.components.cluster_site import ClusterSite
from mlstrata.components.errors import PlanError
from mlstrata.components.governance.system import AISystem
from mlstrata.components.monitoring.kubernetes import PACKAGE as MONITORING
from mlstrata.components.platform.kubernetes import Platform, PlatformArgs
from mlstrata.components.site import UNOWNED
from mlstrata.components.upstream.lock import LockError
from mlstrata.components.upstream.selection import monitoring_of, runtime_image, selection_for, serving_image
from mlstrata.components.workload.sizes import sizes_of
from mlstrata.environments import EnvironmentSpec, Workspace
from mlstrata.stacks import cluster_inputs
from mlstrata.stacks.chart_values import images, values_of
from mlstrata.stacks.outputs import KubernetesEnvironment


def build(spec: EnvironmentSpec, workspace: Workspace) -> KubernetesEnvironment:
    """Register the resources of an environment on a cluster, those that its capabilities ask for.

    Raises:
        PlanError: Its upstream software cannot be taken as declared, the lock of digests is none, or its cloud's
            substrate is not there.
    """
    try:
        selection = selection_for(spec, workspace)
        own = {"runtime": runtime_image(spec, workspace), "serving": serving_image(spec, workspace)}
    except LockError as error:
        raise PlanError([str(error)]) from None
    if selection.problems:
        raise PlanError(list(selection.problems))
    inputs = cluster_inputs.of(spec, workspace)
    cluster = Cluster(
        environment=spec.name,
        namespace=inputs.namespace,
        ownership=Ownership(owner=spec.owner or UNOWNED, cost_centre=spec.cost_centre or "platform"),
        images=images(selection, own),
        storage_class=inputs.storage_class,
        monitoring=monitoring_of(spec),
        watched=MONITORING in selection,
        sizes=sizes_of(spec),
        pull_secret=spec.images.pull_secret or "",
        dns=inputs.dns,
        fixed_users=inputs.fixed_users,
    )
    builders = planned(spec, workspace, (one.piece.name for one in selection.taken))
    opts = pulumi.ResourceOptions(providers=[inputs.provider()])
    site = ClusterSite(
        spec=spec,
        workspace=workspace,
        systems={system.name: AISystem.of(system, opts) for system in spec.systems},
        cluster=cluster,
        inputs=inputs,
        selection=selection,
        platform=Platform("platform", PlatformArgs(cluster, _facts(spec)), opts),
        opts=opts,
        values=partial(values_of, spec=spec, inputs=inputs),
    )
    for _, builder in builders:
        site.take(builder(site))
    needed = dict.fromkeys(cluster.needed)
    return KubernetesEnvironment(
        context=inputs.context,
        namespaces={"platform": cluster.namespace}
        | {system.name: site.namespace_of(system) for system in spec.systems},
        urls=site.urls,
        secrets=tuple(sorted(needed, key=lambda one: (one.namespace, one.name, one.why))),
        ground=inputs.ground,
    )


def _facts(spec: EnvironmentSpec) -> Mapping[str, object]:
    """Return what may not change while the environment is deployed; a stage may, so it is not among them."""
    return spec.model_dump(mode="json", include={"name", "target", "storage"})
