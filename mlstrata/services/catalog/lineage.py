"""The lineage: which source was read by which run, what that made, and who is answered with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlstrata.services.catalog.events import Elsewhere, identity
from mlstrata.services.catalog.model import Dataset, Edge, Node, NodeKind, Run, System, Version

_SHOWN = 12
"""Characters of a content hash that people compare."""


def short(data_version: str) -> str:
    """Return the part of a data version that people compare."""
    return data_version.removeprefix("sha256:")[:_SHOWN]


def lineage(
    systems: Iterable[System],
    datasets: Iterable[Dataset],
    runs: Iterable[Run],
    versions: Iterable[Version],
    others: Iterable[Elsewhere] = (),
) -> tuple[tuple[Node, ...], tuple[Edge, ...]]:
    """Return stations and steps of the lineage; both ends of every step are among the stations."""
    graph = _Graph()
    for system in systems:
        graph.node(NodeKind.SYSTEM, system.name, system.name)
        for consumer in system.consumers:
            graph.node(NodeKind.CONSUMER, consumer, consumer)
            graph.edge(NodeKind.SYSTEM, system.name, NodeKind.CONSUMER, consumer)
    datasets = tuple(datasets)
    known = _sources(graph, datasets)
    declared = {(one.system, one.source) for one in datasets}
    for run in runs:
        if run.data_version and run.source and (run.system, run.source) not in declared:
            # Read when the file named another source than it does today.
            name = f"{run.system}/{run.source}"
            graph.node(NodeKind.SOURCE, name, run.source)
            graph.edge(NodeKind.SOURCE, name, NodeKind.SNAPSHOT, run.data_version)
        graph.node(NodeKind.RUN, run.id, run.id)
        if run.data_version:
            graph.node(NodeKind.SNAPSHOT, run.data_version, short(run.data_version))
            graph.edge(NodeKind.SNAPSHOT, run.data_version, NodeKind.RUN, run.id)
    for version in versions:
        name = f"{version.system}/{version.version}"
        graph.node(NodeKind.VERSION, name, f"version {version.version}")
        if version.run:
            graph.edge(NodeKind.RUN, version.run, NodeKind.VERSION, name)
        if version.role:
            graph.node(NodeKind.RELEASE, name, f"{version.role} {version.version}")
            graph.edge(NodeKind.VERSION, name, NodeKind.RELEASE, name)
            graph.edge(NodeKind.RELEASE, name, NodeKind.SYSTEM, version.system)
    for other in others:
        _elsewhere(graph, other, known)
    return tuple(graph.nodes.values()), tuple(graph.edges)


def _sources(graph: _Graph, datasets: Iterable[Dataset]) -> Mapping[tuple[str, str], list[str]]:
    """Add declared datasets and their snapshots; return their names by what lineage events call them."""
    known: dict[tuple[str, str], list[str]] = {}
    for dataset in datasets:
        name = f"{dataset.system}/{dataset.name}"
        graph.node(NodeKind.SOURCE, name, dataset.source or dataset.name)
        if dataset.source:
            known.setdefault(identity(dataset.source), []).append(name)
        for snapshot in dataset.snapshots:
            graph.node(NodeKind.SNAPSHOT, snapshot, short(snapshot))
            graph.edge(NodeKind.SOURCE, name, NodeKind.SNAPSHOT, snapshot)
    return known


def _elsewhere(graph: _Graph, other: Elsewhere, known: Mapping[tuple[str, str], list[str]]) -> None:
    """Add a job that runs elsewhere; a dataset that a system declares is the declared one."""
    job = "/".join(other.job)
    graph.node(NodeKind.JOB, job, job)
    for written, datasets in ((False, other.inputs), (True, other.outputs)):
        for dataset in datasets:
            ends = [(NodeKind.SOURCE, name) for name in known.get(dataset, ())]
            if not ends:
                ends = [(NodeKind.ORIGIN, "/".join(dataset))]
                graph.node(NodeKind.ORIGIN, ends[0][1], "/".join(dataset))
            for kind, name in ends:
                if written:
                    graph.edge(NodeKind.JOB, job, kind, name)
                else:
                    graph.edge(kind, name, NodeKind.JOB, job)


class _Graph:
    """Nodes and edges, each once, in the order in which they were first seen."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: dict[Edge, None] = {}

    def node(self, kind: NodeKind, name: str, label: str) -> None:
        node = Node(id=f"{kind}:{name}", kind=kind, label=label)
        self.nodes.setdefault(node.id, node)

    def edge(self, source: NodeKind, before: str, target: NodeKind, after: str) -> None:
        self.edges[Edge(source=f"{source}:{before}", target=f"{target}:{after}")] = None
