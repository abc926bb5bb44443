"""Kubeflow's SDK without its client of a server, which nothing here uses: with it comes Kubernetes' whole client."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

_CLIENT = "kfp.client"


def import_sdk() -> None:
    """Import `kfp` for this process, its client left out: that takes two thirds of the time.

    Whoever asks for `kfp.client` later gets the real one; `kfp.Client` alone is missing.
    """
    if "kfp" in sys.modules:
        return
    stands_in = ModuleType(_CLIENT)
    vars(stands_in)["Client"] = None  # the one name that `kfp` takes of it
    sys.modules[_CLIENT] = stands_in
    try:
        kfp = importlib.import_module("kfp")
    finally:
        if sys.modules.get(_CLIENT) is stands_in:
            del sys.modules[_CLIENT]
    for name in ("Client", "client"):
        vars(kfp).pop(name, None)
