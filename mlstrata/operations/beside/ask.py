"""Asks the cluster of an environment whether a plan fits it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlstrata.clients.kubernetes import Cluster, ClusterError, Forbidden
from mlstrata.components.upstream.selection import selection_for
from mlstrata.environments.spec.target import KubernetesTarget
from mlstrata.operations.beside.judge import plan_of, problems
from mlstrata.operations.beside.there import look
from mlstrata.operations.errors import Failed
from mlstrata.operations.troubles.look import secrets_lacking

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pulumi_embedded
    from mlstrata.operations.deployment import Deployment
    from mlstrata.operations.troubles.told import Trouble

_ANSWER_S = 5.0


@dataclass(frozen=True)
class Fit:
    """Whether a plan fits its cluster.

    Attributes:
        problems: Why it does not, a line each with its fix.
        unasked: Why the cluster was not asked; empty: it was.
        missing: Secrets that it expects there and that are not there yet, each with the command that brings it.
    """

    problems: tuple[str, ...] = ()
    unasked: str = ""
    missing: tuple[Trouble, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return it for machines."""
        missing = [one.document() for one in self.missing]
        return {"problems": list(self.problems), "unasked": self.unasked, "missing": missing}


class Unfit(Failed):
    """A plan does not fit its cluster; nothing was changed."""

    def __init__(self, deployment: Deployment, found: Sequence[str]) -> None:
        lines = "\n".join(f"  {one}" for one in found)
        context = getattr(deployment.spec.target, "context", "")
        super().__init__(
            f"{deployment.name} is not brought up, and nothing was changed: the cluster (context {context}) has what "
            f"is not this environment's\n{lines}"
        )
        self.problems = tuple(found)


def fit(deployment: Deployment, planned: pulumi_embedded.Result, cluster: Cluster | None = None) -> Fit:
    """Ask the cluster that a file's context names; one that cannot be asked is named, and nothing is judged.

    Args:
        deployment: The environment.
        planned: Its plan.
        cluster: What is asked; None: the file's context, once.
    """
    target = deployment.spec.target
    if not isinstance(target, KubernetesTarget):
        return Fit()  # a cluster that its substrate made has nothing of others
    plan = plan_of(deployment.spec, selection_for(deployment.spec, deployment.workspace), planned.graph)
    asked = cluster or Cluster(target.context, request_timeout_s=_ANSWER_S, patience_s=0.0)
    try:
        found = tuple(problems(plan, look(asked, plan.namespaces)))
        return Fit(found, missing=secrets_lacking(deployment, planned, asked).troubles)
    except Forbidden as error:
        return Fit(unasked=str(error).partition(";")[0])
    except ClusterError as error:
        return Fit(unasked=str(error))


def refuse_unfit(deployment: Deployment, planned: pulumi_embedded.Result, cluster: Cluster) -> str:
    """Ask the same before an update; return why it was not asked, empty where it was.

    Raises:
        Unfit: the plan does not fit; nothing was changed.
    """
    found = fit(deployment, planned, cluster)
    if found.problems:
        raise Unfit(deployment, found.problems)
    return found.unasked
