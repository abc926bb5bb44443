"""In which order pytest runs the files of a folder."""

from pathlib import Path

import pytest


def run_last(items: list[pytest.Item], folder: Path, name: str) -> None:
    """Put the tests of one file behind all others of its folder, and leave every other folder's where they are."""
    places = [at for at, item in enumerate(items) if item.path.parent == folder]
    ordered = sorted((items[at] for at in places), key=lambda item: item.path.name == name)
    for at, item in zip(places, ordered, strict=True):
        items[at] = item
