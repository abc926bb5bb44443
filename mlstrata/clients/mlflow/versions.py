"""What a registry knows of a version: its figures, what it was checked for, and what made it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Candidate:
    """A registered version.

    Attributes:
        version: its number.
        files: where the registry keeps its files; empty: not asked.
        metrics: the figures of the run that made it.
        run: that run.
        registered: when it came.
        tags: what was written about it when it came.
        digest: of its files, where something vouches for it; empty: nothing does.
        own_code: whether it may bring code of its own.
    """

    version: str
    files: str
    metrics: dict[str, float]
    run: str | None = None
    registered: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    own_code: bool = False


@dataclass(frozen=True)
class Check:
    """What a training run found of its model: a gate, such as the probabilities being in range.

    Attributes:
        name: the check.
        passed: whether the model passed it.
        detail: what was found and what is allowed.
        warns: whether not passing it is for a person to judge, such as a figure that is measured after the release.
    """

    name: str
    passed: bool
    detail: str
    warns: bool = False

    @property
    def failed(self) -> bool:
        """Whether it forbids a release."""
        return not (self.passed or self.warns)


@dataclass(frozen=True)
class VersionView:
    """A version as it is compared.

    Attributes:
        version: its number.
        run: the registry's run that made it; empty when none is known.
        pipeline_run: the pipeline's run.
        environment: where that was.
        commit: of the repository that declares the system.
        code_commit: of the code, where it ran from an image.
        data_version: hash of the data it was trained on.
        origin: where a model from elsewhere is from, with the hash of its files; empty: it was trained here.
        judged_on: hash of the data that such a one was judged on.
        unknown: what nobody knows of such a one.
        metrics: figures of its evaluation.
        settings: the run's parameters, as text.
    """

    version: str
    run: str = ""
    pipeline_run: str = ""
    environment: str = ""
    commit: str = ""
    code_commit: str = ""
    data_version: str = ""
    origin: str = ""
    judged_on: str = ""
    unknown: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)


def differing(compared: Sequence[VersionView]) -> list[str]:
    """Return the settings that are not the same in all of them, by name."""
    names = sorted({name for view in compared for name in view.settings})
    return [name for name in names if len({view.settings.get(name) for view in compared}) > 1]


def input_types(packed: str) -> dict[str, str]:
    """Return what a model takes: column to its type in MLflow's words (double, long, string …).

    Args:
        packed: The text of its `MLmodel` file; a model of tensors, or without a signature, names no columns.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: It is not as MLflow packs a model.
    """
    import yaml

    try:
        document = yaml.safe_load(packed)
    except yaml.YAMLError as error:
        raise ValueError("no YAML") from error
    signature = document.get("signature") or {}
    columns = json.loads(signature.get("inputs") or "[]")
    return {str(one["name"]): str(one["type"]) for one in columns if "name" in one and "type" in one}
