"""What a folder of manifests is judged by: registries, the standard of pods, exemptions, and findings known already."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mlstrata.closed import Closed
from mlstrata.environments.loading.translate import Finding
from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.text import Unique, Word
from mlstrata.policies.core.exemptions import Exemption, Waiver, unfit
from mlstrata.policies.core.facts import PodStandard
from mlstrata.policies.core.files import PolicyErrors, PolicyFile, relative

_REGISTRY = re.compile(r"[a-z0-9.-]+\.[a-z0-9-]+(:\d+)?(/[a-z0-9._/-]+)?|localhost(:\d+)?(/[a-z0-9._/-]+)?")
_SHARED = frozenset({"docker.io", "ghcr.io", "quay.io", "gcr.io", "nvcr.io", "public.ecr.aws", "registry.gitlab.com"})
"""Registries where anybody may have an account, so the host alone vouches for nobody."""
REGISTRY = "a registry's host with the path that is yours, such as ghcr.io/acme"


class _File(Closed):
    registries: Annotated[tuple[Word, ...], Unique] = Field(
        default=(), description="Registries of your own, each with the path that is yours, such as ghcr.io/acme."
    )
    pods: PodStandard = Field(
        default=PodStandard.RESTRICTED, description="Pod security standard that every pod is held to."
    )
    exemptions: tuple[Waiver, ...] = Field(
        default=(), description="As in policies/exemptions.yaml, without environments."
    )
    known: Word | None = Field(
        default=None, description="File of the findings that are known and block nothing, from this file's folder."
    )


@dataclass(frozen=True)
class ManifestSettings:
    """What a folder of manifests is judged by.

    Attributes:
        registries: Registries of one's own.
        pods: The standard that every pod is held to.
        exemptions: Who let which violation stand, until when.
        known: File of the findings that block nothing; None without one.
    """

    registries: tuple[str, ...] = ()
    pods: PodStandard = PodStandard.RESTRICTED
    exemptions: tuple[Exemption, ...] = ()
    known: Path | None = None


def registry(given: str) -> str | None:
    """Return a registry of one's own as it is compared; None where it is none, or one that everybody shares."""
    bare = given.rstrip("/")
    host, _, path = bare.partition("/")
    return bare if _REGISTRY.fullmatch(bare) and (host not in _SHARED or path) else None


def read(path: Path, folder: str, policies: frozenset[str], today: date) -> ManifestSettings:
    """Read a file of settings.

    Args:
        path: The file.
        folder: Name of the folder of manifests, which stands for the environment.
        policies: Ids of the policies there are.
        today: The day of the check.

    Raises:
        PolicyErrors: There is no such file, or something in it is malformed; every mistake is named.
    """
    found = PolicyFile.read(path, nothing="pods: restricted")
    if found is None:
        raise PolicyErrors([f"{relative(path)}: there is no such file"])
    found.require(found.unlike(_File))
    held = _File.model_validate(found.data)
    exemptions = tuple(Exemption(environments=(folder,), **dict(one)) for one in held.exemptions)
    odd = [
        Finding(("registries", at), f"got {shown(one)}", shown(one), REGISTRY)
        for at, one in enumerate(held.registries)
        if registry(one) is None
    ]
    odd += [one for at, entry in enumerate(exemptions) for one in unfit(at, entry, policies, frozenset(), today)]
    found.require(odd)
    for at, entry in enumerate(exemptions):
        entry.written(f"{found.file}:{found.line('exemptions', at)}")
    own = tuple(bare for one in held.registries if (bare := registry(one)))
    return ManifestSettings(own, held.pods, exemptions, path.parent / held.known if held.known else None)
