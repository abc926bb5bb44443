"""`python -m mlstrata.operations.cost ENV PRICES`: an environment's estimate as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mlstrata.operations.cost.document import document
from mlstrata.operations.cost.prices import read
from mlstrata.operations.cost.reckon import reckon
from mlstrata.operations.deployment import Deployment

if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(reckon(Deployment.open(sys.argv[1]), read(Path(sys.argv[2]))))) + "\n")
