"""`python -m mlstrata.services.catalog.cluster`: the catalog in a cluster, where network policies say who reaches it.

Its token and the registry's password come in variables, as a cluster hands out secrets: `MLSTRATA_CATALOG_TOKEN`,
`MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from mlstrata.services.catalog.settings import CatalogSettings
from mlstrata.services.http import Unusable, checked_secret

TOKEN = "MLSTRATA_CATALOG_TOKEN"  # noqa: S105 - a variable's name
EVERYWHERE = "0.0.0.0"  # noqa: S104 - a pod is its own machine


def main() -> int:
    """Serve until told to stop; 2 when the token is none, 1 when the port is taken."""
    parser = argparse.ArgumentParser(
        prog="python -m mlstrata.services.catalog.cluster", description="Shows data and models."
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--declared", type=Path, required=True, help="JSON file of what is deployed")
    parser.add_argument("--data", type=Path, required=True, help="folder that stays")
    parser.add_argument("--registry", required=True, help="address of MLflow")
    given = parser.parse_args()
    try:
        token = checked_secret(os.environ.get(TOKEN, ""), TOKEN)
    except Unusable as error:
        sys.stderr.write(f"{error}\n")
        return 2
    from mlstrata.services.catalog.__main__ import serve

    settings = CatalogSettings(
        port=given.port,
        home=given.data,
        declared=given.declared,
        token_file=Path(os.devnull),
        registry=given.registry,
        events=given.data / "lineage.jsonl",
        # Whoever asks for it by a pod's address is a probe or Prometheus; everybody else shows the token.
        hosts=("*",),
        releases="registry",
    )
    return serve(settings, token, EVERYWHERE)


if __name__ == "__main__":
    sys.exit(main())
