"""A trouble, and what waits as one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlstrata.operations.pending.seen import Wait


@dataclass(frozen=True)
class Trouble:
    """Something of an environment's cluster that is not well.

    Attributes:
        namespace: Where; empty: in the whole cluster.
        kind: Of what: node, certificate, quota, secret, pod, …
        name: Its name.
        what: What is wrong.
        fix: What to do about it.
    """

    namespace: str
    kind: str
    name: str
    what: str
    fix: str

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.kind} {self.name}{where}: {self.what}; {self.fix}"

    def document(self) -> dict[str, str]:
        """Return it for machines."""
        return asdict(self)


_FIXES = (
    ("no node fits", "add a node with that room, or ask for less: `profile: small`, `resources`, serving.resources"),
    ("quota ", "end what is no longer needed, or raise the quota (teams[].gpu_quota for GPUs)"),
    ("image not found", "push it there, or name one that is: `mlstrata images {environment}` lists every image"),
    (
        "the registry refuses",
        "give the pods its access: images.pull_secret, then `mlstrata secrets {environment} --script`; a secret that "
        "is there may hold an old password",
    ),
    (
        "image cannot be pulled",
        "see whether the registry answers from the nodes; what runs goes on, and a pull is tried again within five "
        "minutes; `mirror` names a registry of your own",
    ),
    ("no storage class", "name one that is there in target.storage_class"),
    ("no volume", "name a storage class that makes volumes in target.storage_class"),
    ("its pods are refused", "change what the message names; `kubectl get events -n {namespace}` has it whole"),
)
"""What a wait's reason begins with, and what to do about it."""


def of_waits(waits: Iterable[Wait], environment: str) -> Iterator[Trouble]:
    """Yield what waits in a cluster, each with what to do; what passes by itself is none."""
    for one in waits:
        if one.passing:
            continue
        fix = next((fix for begins, fix in _FIXES if one.reason.startswith(begins)), "")
        if fix:
            fix = fix.format(environment=environment, namespace=one.namespace)
        yield Trouble(one.namespace, one.kind, one.name, one.reason, fix or _describe(one))


def _describe(one: Wait) -> str:
    return f"`kubectl describe {'pvc' if one.kind == 'claim' else one.kind} -n {one.namespace}` says more"
