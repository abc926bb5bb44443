"""Secrets that an environment expects and its cluster lacks, each with the command that brings it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlstrata.clients.kubernetes import Forbidden, Kind, Missing
from mlstrata.operations.troubles.told import Trouble

if TYPE_CHECKING:
    from mlstrata.clients.kubernetes import Cluster
    from mlstrata.operations.secrets.expected import Expected, Secrets

_KINDS = {"Secret": Kind("", "v1", "Secret", "secrets"), "ConfigMap": Kind("", "v1", "ConfigMap", "configmaps")}


@dataclass(frozen=True)
class Lacking:
    """What a cluster lacks of the secrets that are expected.

    Attributes:
        troubles: Each that is not there, or lacks an entry.
        closed: Namespaces whose secrets whoever asks may not read.
    """

    troubles: tuple[Trouble, ...] = ()
    closed: tuple[str, ...] = ()


def lacking(cluster: Cluster, secrets: Secrets) -> Lacking:
    """Return what is not there, or lacks an entry; no value is looked at.

    Raises:
        ClusterError: the cluster does not answer.
    """
    found: list[Trouble] = []
    closed: set[str] = set()
    for one in secrets.expected:
        try:
            has = cluster.get(_KINDS[one.kind], one.name, one.namespace)
        except Missing:
            found.append(_trouble(one, f"is missing ({one.why[0]})", secrets.environment))
        except Forbidden:
            closed.add(one.namespace)  # a workstation may deploy nothing and still ask how it is
        else:
            there = {*(has.get("data") or {}), *(has.get("binaryData") or {})}
            lacks = [entry.key for entry in one.entries if not entry.optional and entry.key not in there]
            if lacks:
                found.append(_trouble(one, f"has no {', '.join(lacks)} ({one.why[0]})", secrets.environment))
    return Lacking(tuple(found), tuple(sorted(closed)))


def _trouble(one: Expected, what: str, environment: str) -> Trouble:
    fix = f"`{one.maker}`" if one.maker.startswith("mlstrata") else f"{one.maker}: put it there"
    if one.maker == f"mlstrata secrets {environment} --script":
        fix = f"`{one.maker} > secrets.sh`, then `sh secrets.sh`"
    elif one.kind == "ConfigMap":
        fix = f"`{one.maker} | kubectl apply --server-side -f -`"
    return Trouble(one.namespace, one.kind.lower(), one.name, what, fix)
