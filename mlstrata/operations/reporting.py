"""How an operation says what is under way; what it found, it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pulumi_embedded


class Reporter(Protocol):
    """Whoever watches an operation: a terminal, a page, a test."""

    def working(self, text: str) -> AbstractContextManager[Callable[[str], None]]:
        """Say what takes a while, for as long as the block runs; what it gives replaces the text."""

    def changing(self, verb: str) -> AbstractContextManager[Callable[[pulumi_embedded.Event], None]]:
        """Follow a run of the engine, for as long as the block runs; what it gives takes the engine's events."""

    def note(self, text: str) -> None:
        """Say one line that people read at once and no result repeats."""

    def step(self, step: dict[str, Any]) -> None:
        """Say how one step of a training ended: `step`, `state`, `seconds`, `cached`."""


class _Silent:
    """Tells nobody."""

    @contextmanager
    def working(self, _text: str) -> Iterator[Callable[[str], None]]:
        yield lambda _text: None

    @contextmanager
    def changing(self, _verb: str) -> Iterator[Callable[[pulumi_embedded.Event], None]]:
        yield lambda _event: None

    def note(self, _text: str) -> None:
        """Say nothing."""

    def step(self, _step: dict[str, Any]) -> None:
        """Say nothing."""


SILENT: Reporter = _Silent()
