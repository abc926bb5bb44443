"""What a platform is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi

from mlstrata.components.programs import Binaries


@dataclass(frozen=True)
class PlatformArgs:
    """Arguments of `Platform`.

    Attributes:
        facts: Plain facts of the environment that are fixed while it is deployed; recorded with the component.
        home: The folder of everything that the environment owns.
        socket: The unix socket of its supervisor.
        owner: Who is told when a part of the platform is not well.
        binaries: The programs that services run.
        wanted: The ports of the platform's own services, by service and name; 0 for any free one.
        after: Ports reserved elsewhere: nothing starts before every port is known to be free.
    """

    facts: Mapping[str, Any]
    home: Path
    socket: Path
    owner: str
    binaries: Binaries
    wanted: Mapping[str, Mapping[str, int]]
    after: Sequence[pulumi.Resource] = field(default_factory=list)
