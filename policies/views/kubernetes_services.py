"""Services of a cluster: which of them are doors that somebody outside may come in by."""

from __future__ import annotations

from typing import Any

from mlstrata.policies.core.graph import Resource

SERVICE = "kubernetes:core/v1:Service"
OUTSIDE = {"LoadBalancer", "NodePort"}


def outside(service: Resource) -> bool:
    """Return whether a Service can be reached from outside its cluster; what is no Service, such as its account, never.

    Raises:
        UnknownValueError: its type is known only after the deployment.
    """
    return service.get("spec.type") in OUTSIDE or bool(service.all("spec.externalIPs"))


def service_of(port: int, named: dict[str, Any] | None = None, **spec: object) -> dict[str, Any]:
    """Return the inputs of a Service with one port, for fixtures."""
    return {"spec": {"ports": [{"port": port, **(named or {})}], **spec}}
