"""SeldonDeployments from typed models: what the operator's webhook would refuse is refused before anything runs.

The schema of the resource has no enumerations and no arithmetic, so a typo or a traffic that does not add up is found
by the webhook only, on the cluster. The rules are those of Seldon Core 1.17.1, and some that its operator needs
without checking them (names that fit, units that do not share a container).
"""

from mlstrata.components.serving.seldon.deployment import (
    Deployment,
    Disruption,
    Explainer,
    Hpa,
    Keda,
    Predictor,
    Trigger,
)
from mlstrata.components.serving.seldon.graph import (
    BuiltIn,
    Container,
    ExplainerType,
    Logger,
    LogMode,
    Parameter,
    Protocol,
    Server,
    Transport,
    Unit,
    UnitType,
)
from mlstrata.components.serving.seldon.manifest import manifest
from mlstrata.components.serving.seldon.patterns import ab, bandit, canary, guarded, logged, shadowed

__all__ = [
    "BuiltIn",
    "Container",
    "Deployment",
    "Disruption",
    "Explainer",
    "ExplainerType",
    "Hpa",
    "Keda",
    "LogMode",
    "Logger",
    "Parameter",
    "Predictor",
    "Protocol",
    "Server",
    "Transport",
    "Trigger",
    "Unit",
    "UnitType",
    "ab",
    "bandit",
    "canary",
    "guarded",
    "logged",
    "manifest",
    "shadowed",
]
