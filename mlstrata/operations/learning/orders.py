"""Carries out what a person ordered from the catalog's pages, by the same operations as the commands do."""

from __future__ import annotations

from mlstrata.environments import SpecErrors
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.services.retraining.orders import Order, Ordered, OrderRefused


def carry_out(environment: str, system: str, ordered: Ordered) -> str:
    """Carry out an order; it stands in the audit log with who ordered it and why.

    Args:
        environment: The environment.
        system: The system.
        ordered: What, why and by whom.

    Returns:
        What holds now, in words.

    Raises:
        OrderRefused: It cannot be carried out, or what serves does not follow.
    """
    from mlstrata.operations import rollout
    from mlstrata.operations.releases import RolloutError

    doing = {
        Order.STOP: (rollout.stop, "stopped; no request is answered"),
        Order.RESUME: (rollout.resume, "resumed; it answers again"),
        Order.APPROVE: (rollout.approve, "approved; the candidate takes over once its figures allow it"),
        Order.ABORT: (rollout.abort, "aborted; the champion answers everything"),
    }
    operation, told = doing[ordered.order]
    try:
        operation(Deployment.open(environment), system, reason=ordered.reason, decider=ordered.who)
    except (UsageError, RolloutError, SpecErrors) as error:
        raise OrderRefused(str(error)) from error
    return f"{system}: {told}"
