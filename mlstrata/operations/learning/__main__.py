"""`python -m mlstrata.operations.learning --settings FILE`: the learning process, on loopback only."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from mlstrata.services import http
from mlstrata.services.retraining.settings import LearningSettings

if TYPE_CHECKING:
    from starlette.applications import Starlette

_NICE = 5


def main() -> int:
    """Serve until told to stop; 2 when the settings are wrong, 1 when the port is taken."""
    return http.main("mlstrata.operations.learning", "Has systems learn again.", LearningSettings, serve)


def serve(settings: LearningSettings, token: str) -> int:
    """Answer until SIGTERM or SIGINT; a training that is under way goes on in the runner, and is followed up."""
    os.nice(_NICE)  # whoever predicts comes first
    with ExitStack() as held:
        return http.run("learning", settings.port, lambda: _app(settings, token, held))


def _app(settings: LearningSettings, token: str, held: ExitStack) -> Starlette:
    from mlstrata.operations.learning.actions import EnvironmentActions
    from mlstrata.operations.learning.orders import carry_out
    from mlstrata.operations.learning.process import Learning
    from mlstrata.services.retraining.app import build
    from mlstrata.services.retraining.journal import Journal

    journal = Journal(settings.journal)
    held.callback(journal.close)
    actions = EnvironmentActions(settings)
    rounds = Learning(settings, journal, actions)
    held.callback(rounds.stop)
    orders = partial(carry_out, settings.environment)
    return build(journal, token, envelopes=actions.envelopes, clock=time.time, rounds=rounds, orders=orders)


if __name__ == "__main__":
    sys.exit(main())
