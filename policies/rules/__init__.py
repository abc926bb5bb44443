"""The policies by domain; `RULES` holds them all, in the order of the catalogue."""

from __future__ import annotations

from policies.rule import Rule
from policies.rules import (
    ai_act_classification,
    ai_act_documents,
    ai_act_market,
    ai_act_oversight,
    ai_act_records,
    ai_act_stage,
    ai_act_tier,
    data_public,
    data_stores,
    data_use,
    gpu_cost,
    lifecycle,
    observability,
    reliability,
    security_cluster,
    security_databases,
    security_doors,
    security_images,
    security_models,
    security_rights,
    security_secrets,
)

_MODULES = (
    ai_act_classification,
    ai_act_documents,
    ai_act_market,
    ai_act_oversight,
    ai_act_records,
    ai_act_stage,
    ai_act_tier,
    data_public,
    data_stores,
    data_use,
    gpu_cost,
    lifecycle,
    observability,
    reliability,
    security_cluster,
    security_databases,
    security_doors,
    security_images,
    security_models,
    security_rights,
    security_secrets,
)

RULES: tuple[Rule, ...] = tuple(
    sorted((rule for module in _MODULES for rule in module.RULES), key=lambda rule: rule.number)
)
IDS: frozenset[str] = frozenset(rule.id for rule in RULES)
