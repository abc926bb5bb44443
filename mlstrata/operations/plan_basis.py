"""What the plan of an environment on this machine is made from, its state apart, as one digest."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.components import guests
from mlstrata.environments import days
from mlstrata.environments.installation import room

if TYPE_CHECKING:
    from mlstrata.operations.deployment import Deployment

_ROOMS = ("components", "environments", "locks", "pipelines", "policies", "stacks")
_FOLDERS = ("capabilities", "learners", "pipelines", "policies")
"""Folders of a workspace that a plan reads, beside its environments."""
_VARIABLES = ("HOME", "MLSTRATA_", "PATH", "PULUMI_", "TMPDIR", "XDG_CACHE_HOME")
"""What a plan reads of the caller's variables, by how their names begin."""


def basis(deployment: Deployment) -> str:
    """Return the digest: of the code, the workspace's files, the caller's variables, the programs and the day."""
    found = hashlib.sha256()
    for part in (_installed(), _called(), _declared(deployment)):
        for name, content in part:
            found.update(name.encode(errors="surrogateescape") + b"\0" + hashlib.sha256(content).digest())
    return found.hexdigest()


def has_own_code(deployment: Deployment) -> bool:
    """Say whether a plan runs code of somebody's own, such as a policy: what that depends on is unknown."""
    from importlib.metadata import entry_points

    from mlstrata.policies import guests as policies

    workspace = deployment.workspace
    folder = workspace.root / "policies"
    return (
        workspace.program.resolve() != room("stacks").resolve()
        or bool(guests.loaded(workspace))
        or bool(entry_points(group=policies.GROUP))
        or (folder.resolve() != policies.OURS and any(folder.glob("*.py")))
    )


def _installed() -> Iterator[tuple[str, bytes]]:
    import pulumi_embedded
    from mlstrata_steps.versioning import code_version, tree_digest

    yield "python", f"{sys.version} {sys.prefix} {code_version()}".encode()
    for name in _ROOMS:
        yield name, f"{room(name)} {tree_digest(room(name))}".encode()
    yield "mlstrata", tree_digest(Path(__file__).parents[1]).encode()
    yield "engine", tree_digest(Path(pulumi_embedded.__file__).parent).encode()
    for folder in sorted({one for one in sys.path if one.endswith("site-packages")}):
        # Whatever is installed beside us, replaced or removed changes the folder.
        yield folder, str(Path(folder).stat().st_mtime_ns).encode()


def _called() -> Iterator[tuple[str, bytes]]:
    from mlstrata.components.errors import PlanError
    from mlstrata.components.programs import MONITORING, RUNTIME, find

    for name, value in sorted(os.environ.items()):
        if name.startswith(_VARIABLES):
            yield f"${name}", value.encode(errors="surrogateescape")
    for name in (*RUNTIME, *MONITORING):
        with suppress(PlanError):  # that one is gone is for a plan to say
            yield name, str(find([name])[name]).encode()


def _declared(deployment: Deployment) -> Iterator[tuple[str, bytes]]:
    root = deployment.workspace.root
    # Exemptions end by the environment's day, certificates are renewed by that of UTC.
    yield "days", f"{days.today(deployment.spec.timezone)} {days.today('UTC')}".encode()
    yield "root", str(root).encode()
    yield "environments", repr(list(deployment.workspace.environment_files())).encode()
    named = [deployment.file, root / "Pulumi.yaml"]
    for folder in _FOLDERS:
        named += sorted((root / folder).glob("*"))
    for system in deployment.spec.systems:
        memo = system.risk.exemption.memo if system.risk.exemption else None
        for document in (*system.documents.model_dump(mode="json").values(), memo):
            named += [root / document] if isinstance(document, str) else []
    for path in named:
        yield str(path), _content(path)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
