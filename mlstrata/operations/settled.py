"""What a finished `up` on this machine leaves behind, so that the next one can tell that there is nothing to do.

Program, providers and policies answer as they did while all that they are made from is as it was (`plan_basis`), and
the state itself. What may change by itself is looked at each time, as the providers do: processes, their files, their
health, the gateway's routes. Whatever differs or cannot be read is a reason to plan.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlstrata.files import sha256_of, write
from mlstrata.operations.plan_basis import has_own_code
from mlstrata.operations.policy_gate import Verdict

if TYPE_CHECKING:
    import pulumi_embedded
    from mlstrata.operations.deployment import Deployment

FILE = "run/settled.json"
"""Its place in an environment's home."""
_READ = frozenset({"Certificate", "ConfigFile", "Credential", "Ports", "Ready", "Routes", "Service", "SigningKeys"})
_GRACE_SECONDS = 20.0


@dataclass(frozen=True)
class Running:
    """A service as it was last declared.

    Attributes:
        digest: What its start notes: the digest of all that needs a restart.
        files: Path -> digest of what has to be in it.
    """

    digest: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class Settled:
    """An environment as the last `up` left it.

    Attributes:
        basis: Digest of what the plan was made from (`plan_basis`).
        state: Digest of the state, its settings and its passphrase.
        socket: Its supervisor's unix socket.
        steps: URN and type of each resource.
        verdict: What the policies said.
        services: By name, what runs.
        files: Path -> digest of what has to be in it, of no service's own.
        checks: How the health of each service is asked.
        routes: What the gateway's routes are rendered from.
    """

    basis: str
    state: str
    socket: str
    steps: tuple[tuple[str, str], ...]
    verdict: Verdict
    services: Mapping[str, Running] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    routes: tuple[Mapping[str, Any], ...] = ()

    def result(self) -> pulumi_embedded.Result:
        """Return what an engine says of an environment that is as declared."""
        import pulumi_embedded

        return pulumi_embedded.Result(tuple(pulumi_embedded.Step(urn, kind, "same") for urn, kind in self.steps), {})


def read(deployment: Deployment, made_from: str) -> Settled | None:
    """Return how the last `up` left an environment, if it was made from the same and is so still.

    Args:
        deployment: The environment.
        made_from: Its basis now.
    """
    try:
        found = _parsed((deployment.home / FILE).read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if found.basis != made_from or found.state != _state(deployment):
        return None
    return None if any(_complaints(deployment.home, found)) else found


def keep(deployment: Deployment, made_from: str, verdict: Verdict) -> None:
    """Note how `up` leaves an environment; nothing is kept of one that the next `up` must plan in any case.

    Args:
        deployment: The environment, up.
        made_from: Its basis when `up` began.
        verdict: What the policies said.
    """
    import pulumi_embedded
    from pulumi_embedded.values import reveal

    file = deployment.home / FILE
    file.unlink(missing_ok=True)
    if not deployment.checkpoint.exists() or has_own_code(deployment):
        return
    passphrase = pulumi_embedded.Passphrase(deployment.passphrase())
    snapshot = pulumi_embedded.resources(deployment.workspace.project, deployment.name, deployment.backend, passphrase)
    props: dict[str, list[Mapping[str, Any]]] = {}
    for one in snapshot.resources:
        if one.delete or (one.is_dynamic and one.type.rsplit(":", 1)[-1] not in {*_READ, "Supervisor"}):
            return
        props.setdefault(one.type.rsplit(":", 1)[-1], []).append(reveal(one.outputs))
    if snapshot.operations or len(props.get("Supervisor", ())) != 1:
        return
    steps = tuple((one.urn, one.type) for one in snapshot.resources if not one.is_provider)
    settled = _settled(deployment, made_from, steps, verdict, props)
    with suppress(OSError):  # without it the next one plans
        write(file, json.dumps(asdict(settled), indent=1))


def _settled(
    deployment: Deployment,
    made_from: str,
    steps: tuple[tuple[str, str], ...],
    verdict: Verdict,
    props: Mapping[str, list[Mapping[str, Any]]],
) -> Settled:
    from mlstrata.components.supervision.definition import Definition
    from mlstrata.components.supervision.files import inside
    from mlstrata.components.supervision.supervisor import CONFIG, render_config

    home, socket = deployment.home, str(props["Supervisor"][0]["socket"])
    definitions = [Definition.of(one) for one in props.get("Service", ())]
    files = {str(inside(home, one["path"])): str(one["content"]) for one in props.get("ConfigFile", ())}
    files[str(home / CONFIG)] = render_config(home, Path(socket))
    return Settled(
        basis=made_from,
        state=_state(deployment),
        socket=socket,
        steps=steps,
        verdict=verdict,
        services={
            one.name: Running(one.digest, {str(path): _digest(content) for path, (content, *_) in one.owned().items()})
            for one in definitions
        },
        files={path: _digest(content) for path, content in files.items()},
        checks={name: dict(check) for one in props.get("Ready", ()) for name, check in one["checks"].items()},
        routes=tuple(
            {key: one.get(key) for key in ("directory", "settings", "releases")} for one in props.get("Routes", ())
        ),
    )


def _complaints(home: Path, found: Settled) -> Iterator[str]:
    """Yield what is not as it was, as each kind of resource says it when it is read."""
    from mlstrata.components.gateway.rendering import condition as condition_of_routes
    from mlstrata.components.supervision.client import SupervisorClient
    from mlstrata.components.supervision.condition import condition, identity
    from mlstrata.components.supervision.health import Check

    yield from _edited(found.files)
    yield from (said for one in found.routes if (said := condition_of_routes(one)) != "as rendered")
    socket, checks = Path(found.socket), Check.all_of(found.checks)
    client = SupervisorClient(socket)
    if client.identity() != identity(home):
        yield "its supervisor is dead"
        return
    with ThreadPoolExecutor(max(1, len(checks))) as pool:
        asked = [pool.submit(check.settled, client, _GRACE_SECONDS) for check in checks]
        for name, one in found.services.items():
            said = condition(
                home, socket, name, edited=partial(_edited, one.files), is_current=partial(_is_current, home, name, one)
            )
            if said != "running":
                yield f"{name}: {said}"
        yield from filter(None, (answer.result() for answer in asked))


def _is_current(home: Path, name: str, one: Running) -> bool:
    from mlstrata.components.supervision.files import read_json

    return read_json(home / "run" / f"{name}.stamp").get("digest") == one.digest


def _edited(files: Mapping[str, str]) -> list[str]:
    return [path for path, digest in files.items() if sha256_of(Path(path)) != digest]


def _parsed(text: bytes) -> Settled:
    raw = json.loads(text)
    return Settled(
        **{
            **raw,
            "steps": tuple((urn, kind) for urn, kind in raw["steps"]),
            "verdict": Verdict(**raw["verdict"]),
            "services": {name: Running(**one) for name, one in raw["services"].items()},
            "routes": tuple(raw["routes"]),
        }
    )


def _state(deployment: Deployment) -> str:
    paths = (deployment.checkpoint, deployment.settings, deployment.passphrase_file)
    return _digest(" ".join(map(sha256_of, paths)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
