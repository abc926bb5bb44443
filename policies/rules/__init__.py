"""The policies by domain, a module a subject; `RULES` holds them all, in the order of the catalogue."""

from __future__ import annotations

import sys

from mlstrata.policies.core.catalogue import CATALOGUE
from mlstrata.policies.core.discovery import modules
from mlstrata.policies.core.rule import Rule

_FOUND: dict[str, Rule] = {rule.id: rule for module in modules(sys.modules[__name__]) for rule in module.RULES}
if odd := sorted(_FOUND.keys() ^ set(CATALOGUE)):
    raise ImportError(f"policies/rules and policies/core/catalogue.py differ in {', '.join(odd)}")
RULES: tuple[Rule, ...] = tuple(_FOUND[name] for name in CATALOGUE)
IDS: frozenset[str] = frozenset(CATALOGUE)
"""Id of each policy of the catalogue."""
