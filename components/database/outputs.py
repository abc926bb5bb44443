"""What a database hands over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from mlstrata.components.database.args import Server
from mlstrata.components.site import Outputs


@dataclass(frozen=True)
class DatabaseOutputs(Outputs):
    """The platform's Postgres.

    Attributes:
        server: It, as its clients see it.
        ready: What they wait for; nothing where it was there before.
    """

    server: Server
    ready: Sequence[pulumi.Resource] = ()
