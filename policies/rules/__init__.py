"""The policies by domain; `RULES` holds them all, in the order of the catalogue."""

from __future__ import annotations

from mlstrata.policies.core.rule import Rule
from mlstrata.policies.rules.ai_act import classification as ai_act_classification
from mlstrata.policies.rules.ai_act import documents as ai_act_documents
from mlstrata.policies.rules.ai_act import market as ai_act_market
from mlstrata.policies.rules.ai_act import oversight as ai_act_oversight
from mlstrata.policies.rules.ai_act import records as ai_act_records
from mlstrata.policies.rules.ai_act import stage as ai_act_stage
from mlstrata.policies.rules.ai_act import tier as ai_act_tier
from mlstrata.policies.rules.data import public as data_public
from mlstrata.policies.rules.data import stores as data_stores
from mlstrata.policies.rules.data import use as data_use
from mlstrata.policies.rules.operations import gpu_cost, lifecycle, observability, reliability
from mlstrata.policies.rules.security import cluster as security_cluster
from mlstrata.policies.rules.security import databases as security_databases
from mlstrata.policies.rules.security import images as security_images
from mlstrata.policies.rules.security import ingress as security_doors
from mlstrata.policies.rules.security import models as security_models
from mlstrata.policies.rules.security import rbac as security_rights
from mlstrata.policies.rules.security import secrets as security_secrets

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
