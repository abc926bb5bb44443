"""What the commands for a repository print."""

from __future__ import annotations

from pathlib import Path

from mlstrata.cli.console import say


def init(folder: Path) -> None:
    """Write a repository and say what to do next."""
    from mlstrata.operations.repository.scaffold import create

    written = create(folder)
    for path in written:
        say(f" + {path}")
    say(f" {len(written)} files; next: cd {folder} && mlstrata up local --train")
