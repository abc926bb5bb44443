"""What a terminal shows of an operation while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from mlstrata.cli.console import err, out, say

if TYPE_CHECKING:
    import pulumi_embedded


class Terminal:
    """Tells a person: lines about what ended on standard output, what is under way on standard error."""

    def __init__(self, *, quiet: bool = False) -> None:
        """Tell; `quiet` keeps standard output free for a document."""
        self.quiet = quiet

    @contextmanager
    def working(self, text: str) -> Iterator[Callable[[str], None]]:
        """Say what takes a while."""
        with err().status(text) as status:
            yield status.update

    def changing(self, verb: str) -> AbstractContextManager[Callable[[pulumi_embedded.Event], None]]:
        """Follow a run of the engine."""
        from mlstrata.cli.progress import progress

        return progress(verb)

    def note(self, text: str) -> None:
        """Say a line at once."""
        err().print(f"   {text}", markup=False)

    def step(self, step: dict[str, Any]) -> None:
        """Say how a step of a training ended."""
        if self.quiet:
            return
        sign = "[green]✓[/green]" if step["state"] == "succeeded" else "[red]✗[/red]"
        out().print(f"   {sign} ", end="")
        seconds = "cached" if step.get("cached") else f"{step.get('seconds') or 0:.1f} s"
        say(f"{step['step']:<12} {seconds}")
