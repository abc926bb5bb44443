"""MLflow over its REST interface, by httpx: importing MLflow's own client takes longer than what is asked of it."""

from mlstrata.clients.mlflow.registry import CHAMPION, Registry, figures
from mlstrata.clients.mlflow.rest import MISSING, RegistryError
from mlstrata.clients.mlflow.versions import Candidate, Check, VersionView, differing, input_types

__all__ = [
    "CHAMPION",
    "MISSING",
    "Candidate",
    "Check",
    "Registry",
    "RegistryError",
    "VersionView",
    "differing",
    "figures",
    "input_types",
]
