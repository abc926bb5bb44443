"""What the catalog holds: descriptions only, never rows of data, messages of errors or credentials."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from mlstrata.closed import Closed


class ColumnRole(StrEnum):
    """Axis: what a model does with a column."""

    TARGET = "target"
    FEATURE = "feature"
    PROTECTED = "protected"
    EXCLUDED = "excluded"
    UNUSED = "unused"


class NodeKind(StrEnum):
    """Axis: the stations from a source to who is answered, in that order."""

    ORIGIN = "origin"
    JOB = "job"
    SOURCE = "source"
    SNAPSHOT = "snapshot"
    RUN = "run"
    VERSION = "version"
    RELEASE = "release"
    SYSTEM = "system"
    PREDICTION = "prediction"
    CONSUMER = "consumer"


class Column(Closed):
    """A column that the environment's file names or a model has seen."""

    name: str = Field(description="Its name in the dataset.")
    role: ColumnRole = Field(description="What the system's model does with it.")
    personal: bool = Field(description="It holds personal data.")
    special: str | None = Field(description="Special category of personal data that it holds (GDPR Art. 9).")
    type: str | None = Field(description="Its type, where the released model takes it; None: it is not known.")


class Dataset(Closed):
    """A dataset of a system."""

    name: str = Field(description="Its name within the system.")
    system: str = Field(description="The system that declares it.")
    description: str | None = Field(description="What it holds.")
    source: str | None = Field(description="Where it is read from, as declared.")
    classification: str = Field(description="Who may see it.")
    special_categories: tuple[str, ...] = Field(description="Special categories of personal data in it.")
    owner: str | None = Field(description="Its owner.")
    region: str | None = Field(description="Region it must stay in.")
    licence: str | None = Field(description="SPDX identifier of its terms.")
    trains: bool = Field(description="The system's model learns from it.")
    columns: tuple[Column, ...] = Field(description="Columns that are declared, and those that a run used.")
    snapshots: tuple[str, ...] = Field(description="Data versions that runs took of it, newest first.")


class Feature(Closed):
    """What a system's newest model sees of its training data."""

    name: str = Field(description="Its name, which is its column's.")
    system: str = Field(description="The system whose model sees it.")
    dataset: str = Field(description="The dataset it comes from.")
    type: str | None = Field(description="Its type, as the released model takes it; None: none is released.")
    owner: str | None = Field(description="Owner of the dataset.")
    classification: str = Field(description="Who may see the dataset.")
    personal: bool = Field(description="It holds personal data.")


class Run(Closed):
    """A run of a pipeline."""

    id: str = Field(description="Its identity.")
    system: str = Field(description="The system it trained.")
    state: str = Field(description="How it ended, or that the runner does not know it any more.")
    trigger: str | None = Field(description="What started it: request or schedule.")
    created: float | None = Field(description="When it was asked for, in seconds since 1970.")
    data_version: str | None = Field(description="The snapshot that it read.")
    source: str | None = Field(default=None, description="What that was taken of, as the file had it; None: not known.")
    stopped_at: str | None = Field(description="The step that failed.")


class Version(Closed):
    """A version of a system's model."""

    system: str = Field(description="The system, which is also the model's name.")
    version: str = Field(description="Its number in the registry.")
    registered: bool | None = Field(description="The registry has it; None: the registry could not be asked.")
    role: str | None = Field(description="champion, challenger or shadow; None: it is not released.")
    run: str | None = Field(description="The run that made it.")
    data_version: str | None = Field(description="The snapshot that it learnt from.")
    origin: str | None = Field(default=None, description="Where it is from; None: it was trained here.")
    origin_digest: str | None = Field(default=None, description="What its files came to when they were fetched.")
    evaluation_data_version: str | None = Field(default=None, description="The snapshot that it was judged on.")
    unknown: str | None = Field(default=None, description="What nobody knows of a model from elsewhere.")
    commit: str | None = Field(description="Commit of the repository that declares the system.")
    code_commit: str | None = Field(description="Commit of the code; None: it did not run from an image.")
    code_version: str | None = Field(description="Version of the steps.")
    settings_hash: str | None = Field(description="Hash of everything a person chose.")
    metrics: dict[str, float] = Field(description="What its evaluation measured, each in its own unit.")


class System(Closed):
    """An AI system with its business context."""

    name: str = Field(description="Its name.")
    purpose: str = Field(description="What it is for.")
    owner: str | None = Field(description="Its owner.")
    team: str | None = Field(description="Who runs it; None: the platform's team.")
    tier: str = Field(description="Risk tier in the AI Act.")
    annex_iii: str | None = Field(description="Point of Annex III.")
    role: str = Field(description="What the organisation is to it in the Act's sense.")
    profiling: bool = Field(description="It profiles natural persons.")
    kpis: tuple[str, ...] = Field(description="What it must achieve.")
    constraints: tuple[str, ...] = Field(description="What it must respect.")
    algorithm: str = Field(description="How its model learns.")
    datasets: tuple[str, ...] = Field(description="The data that it uses.")
    features: tuple[str, ...] = Field(description="What its newest model saw; empty before the first run.")
    consumers: tuple[str, ...] = Field(description="Who may ask it.")
    champion: str | None = Field(description="The version that answers.")


class Node(Closed):
    """A station of the lineage."""

    id: str = Field(description="KIND:NAME, unique in the catalog.")
    kind: NodeKind = Field(description="What it is.")
    label: str = Field(description="What people call it.")


class Edge(Closed):
    """One step of the lineage: `target` came from `source`."""

    source: str = Field(description="Identity of the node that comes first.")
    target: str = Field(description="Identity of the node made from it.")


class Catalog(Closed):
    """Everything of one environment."""

    environment: str = Field(description="Its name.")
    stage: str | None = Field(description="Its stage; None: the service is not told, as no stage changes it.")
    systems: tuple[System, ...] = Field(description="Its systems.")
    datasets: tuple[Dataset, ...] = Field(description="Their datasets.")
    versions: tuple[Version, ...] = Field(description="Versions of their models, newest first for each system.")
    runs: tuple[Run, ...] = Field(description="Runs of their pipelines, newest first.")
    nodes: tuple[Node, ...] = Field(description="Stations of the lineage.")
    edges: tuple[Edge, ...] = Field(description="Lineage, from source to who is answered.")
    missing: tuple[str, ...] = Field(description="What could not be read, and so may be incomplete here.")

    def document(self) -> dict[str, Any]:
        """Return it as a JSON document."""
        return self.model_dump(mode="json")
