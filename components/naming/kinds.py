"""What Kubernetes takes as the name of an object, by its kind; its own rules, and those of what is made from it.

A name of Kubernetes is a DNS subdomain (RFC 1123). Some kinds give theirs to a label, to a host or to other objects,
and so may have fewer characters; the API server takes a longer one of most of them, and the object never works.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

LONGEST = 253
"""Characters of a name that becomes nothing else."""
LABEL = 63
"""Characters of a label's value, and of one part of a host's name."""
_REVISION = 11
"""A StatefulSet's revision, a label of its pods, is the set's name with '-' and ten characters."""
_SET = LABEL - _REVISION

SHORTER: Mapping[str, int] = {
    "Namespace": LABEL,
    "Service": LABEL,
    "CronJob": LABEL - len("-0123456789"),  # its jobs are called after it and their minute
    "StatefulSet": _SET,
    "Prometheus": _SET - len("prometheus-"),  # its operator makes a StatefulSet of that name
    "Alertmanager": _SET - len("alertmanager-"),
    "SeldonDeployment": LABEL - len("-champion-0-model"),  # above it Seldon calls its Deployment by a hash
    "NodePool": LABEL,  # a label of its nodes
    "EC2NodeClass": LABEL,
}
"""Kinds whose names are shorter."""

_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?")
_HOSTS = ("Namespace", "Service")
"""Kinds whose names are a part of a host's."""
_RESERVED: Mapping[str, tuple[str, ...]] = {"PriorityClass": ("system-",), "Namespace": ("kube-", "openshift-")}
_THE_CLUSTERS_OWN = frozenset({"default", "openshift"})
"""Namespaces that each cluster has."""


def refused(kind: str, name: str) -> str:
    """Return why a cluster does not take a name for an object of the user's; empty where it does."""
    longest = SHORTER.get(kind, LONGEST)
    if (kind == "Namespace" and name in _THE_CLUSTERS_OWN) or name.startswith(_RESERVED.get(kind, ())):
        return "which is the cluster's own"
    if len(name) > longest:
        return f"which has {len(name)} characters, more than the {longest} that it may have"
    if not (_LABEL if kind in _HOSTS else _SUBDOMAIN).fullmatch(name):
        return "which is no name of Kubernetes: a-z, 0-9 and '-', a letter or a digit at either end"
    return ""
