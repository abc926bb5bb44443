"""What a system is in the Act, as its answers say: tier, point, roles; every rule reads them here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlstrata.environments import classification
from mlstrata.environments.classification import Classified, classify, is_product, point_of
from mlstrata.policies.core.graph import System
from mlstrata.policies.core.rule import Context, Verdicts, not_applicable
from mlstrata.policies.views.serving import makes_content

ROLES = ("provider", "deployer", "importer", "distributor", "authorised_representative")


def risk(system: System) -> Mapping[str, Any]:
    """Return the answers; empty where there are none."""
    return _mapping(system, "risk")


def _mapping(system: System, key: str) -> Mapping[str, Any]:
    given = system.get(key)
    return given if isinstance(given, Mapping) else {}


def classified(system: System) -> Classified:
    """Return the tier that the answers lead to."""
    return classify(risk(system), generates=makes_content(system))


def point(system: System) -> str:
    """Return the point of Annex III; empty where none applies."""
    return point_of(risk(system))


def product(system: System) -> bool:
    """Return whether it is, or keeps safe, a product under Annex I that a third party assesses."""
    return is_product(risk(system))


def trained_here(system: System) -> bool:
    """Return whether a pipeline of the environment trains the model."""
    return classification.trained_here(_mapping(system, "model"))


def declared_roles(system: System) -> tuple[str, ...]:
    """Return the roles that the file declares."""
    return classification.declared_roles(risk(system))


def roles(system: System) -> frozenset[str]:
    """Return what the organisation is to a system; a provider where it trains the model and names no other."""
    return classification.roles_of(risk(system), _mapping(system, "model"))


def asked_of(
    article: str, check: Callable[[System, Context], Verdicts], *of: str
) -> Callable[[System, Context], Verdicts]:
    """Return a check that asks something of organisations in some roles only.

    Args:
        article: What asks it.
        check: The check.
        of: The roles, of which one is enough.
    """

    def asked(system: System, context: Context) -> Verdicts:
        if roles(system).isdisjoint(of):
            yield not_applicable(f"{article} asks it of {_or(of)}s")
        else:
            yield from check(system, context)

    return asked


def _or(names: tuple[str, ...]) -> str:
    return "s or ".join(name.replace("_", " ") for name in names)
