"""`mlstrata data`: what a file holds and how it is declared, and a folder of images as such a file."""

from __future__ import annotations

from pathlib import Path

from mlstrata.cli.console import say, say_json
from mlstrata.operations.images_table import IMAGE, LABEL, images_table
from mlstrata.operations.profile import profile as operation


def images(folder: Path, output: Path, *, as_json: bool) -> None:
    """Write a table of images, and say how it is declared."""
    rows = images_table(folder, output)
    if as_json:
        say_json({"file": str(output), "rows": rows})
        return
    say(f" {output}  {rows:,} images", style="bold")
    say(f"    model: {{modality: image, images: [{IMAGE}], target: {LABEL}}}")


def profile(file: str, *, as_json: bool) -> None:
    """Show the columns of a file, then the lines that declare it."""
    found = operation(file)
    if as_json:
        say_json(found.document())
        return
    proposal = found.proposal
    say(f" {file}  {proposal.rows:,} rows · {len(proposal.columns)} columns", style="bold")
    width = max(len(one.name) for one in proposal.columns)
    for one in proposal.columns:
        gaps = f"{one.missing:.1%} missing" if one.missing else "no gap"
        personal = f" · seems to hold: {one.personal}" if one.personal else ""
        say(f"   {one.name:<{width}}  {one.kind:<8} {one.distinct:>8,} values · {gaps}{personal}")
        if one.note:
            say(f"   {'':<{width}}  {one.note}", style="yellow")
    say()
    say(" Put this into a system of an environment's file, and correct it:", style="bold")
    for line in found.yaml.splitlines():
        say(f"    {line}")
