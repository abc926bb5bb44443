"""What to run and how: a program and the options of a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pulumi_embedded.passphrase import Passphrase
from pulumi_embedded.types import Event, Result


@dataclass(frozen=True)
class Program:
    """A Pulumi program and the stack it is run for.

    Attributes:
        project: Pulumi project name.
        stack: stack name.
        main: folder with ``__main__.py``, or a Python file. It is the working directory and first on ``sys.path``
            while the engine runs, as under the CLI.
        config: configuration, plain values by key ("key" or "namespace:key"); wins over the stack's settings file.
        root: folder of ``Pulumi.yaml``; default: the nearest one above ``main``, else ``main``.
        settings: the stack's settings file; default ``Pulumi.<stack>.yaml`` where ``Pulumi.yaml`` says.
    """

    project: str
    stack: str
    main: Path
    config: Mapping[str, str] = field(default_factory=dict)
    root: Path | None = None
    settings: Path | None = None

    def __post_init__(self) -> None:
        """Make the paths absolute: the working directory is another while the program runs."""
        for name in ("main", "root", "settings"):
            path = getattr(self, name)
            if path is not None:
                object.__setattr__(self, name, path.absolute())


class Cancellation:
    """Asks a run to stop: once lets running steps finish, twice stops at once."""

    def __init__(self) -> None:
        self._asked = 0
        self.event = threading.Event()

    def request(self) -> int:
        """Ask once more; returns how often it has been asked."""
        self._asked += 1
        self.event.set()
        return self._asked

    @property
    def requested(self) -> bool:
        """Whether the run should start no further step."""
        return self._asked > 0

    @property
    def hard(self) -> bool:
        """Whether the run should not even wait for running steps."""
        return self._asked > 1


def ignore(_event: Event) -> None:
    """Default listener: does nothing."""


@dataclass(frozen=True)
class Options:
    """How to run.

    Attributes:
        parallel: most provider calls at one time.
        refresh: read every resource first (a preview then reports drift without writing it).
        passphrase: opens the stack's secrets; default: ``PULUMI_CONFIG_PASSPHRASE`` or ``_FILE``.
        on_event: called with each event, one at a time, from any thread.
        cancel: lets a caller stop the run; the engine makes one and ties it to SIGINT and SIGTERM otherwise.
        preflight: plan the whole program before ``up`` changes anything, so what is refused is refused first.
        approve: called with that plan before ``up`` changes any resource; what it raises ends the run there.
    """

    parallel: int = 64
    refresh: bool = False
    passphrase: Passphrase | None = None
    on_event: Callable[[Event], None] = ignore
    cancel: Cancellation | None = None
    preflight: bool = True
    approve: Callable[[Result], None] | None = None
