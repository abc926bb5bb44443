"""The router's web application; its address is gunicorn's, so that it binds to loopback only.

Settings come from the environment: `MLSTRATA_BANDIT` holds the router's arguments as a JSON object.
`PREDICTIVE_UNIT_ID` must name this node as the graph does, or Seldon drops the feedback silently.
"""

from __future__ import annotations

import json
import os

from seldon_core.metrics import SeldonMetrics
from seldon_core.wrapper import get_rest_microservice

from mlstrata.services.bandit.router import EpsilonGreedyRouter

app = get_rest_microservice(EpsilonGreedyRouter(**json.loads(os.environ.get("MLSTRATA_BANDIT", "{}"))), SeldonMetrics())
