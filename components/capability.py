"""What a capability declares of itself, and every declaration that is known: the product's own and extensions'.

A capability is a row of the stage table (mlstrata.environments.stages) and a folder of components with `capability.py`
in it, whose `DECLARATIONS` say how each target builds it. What is built, in which order, on which ports and with which
programs is read from there. Nothing that a builder imports is loaded before it builds.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path
from typing import Any

import mlstrata.components
from mlstrata.environments import EnvironmentSpec, Workspace, stages
from mlstrata.environments.usage import used_capabilities

Condition = Callable[[EnvironmentSpec, Workspace], bool]
Problems = Callable[[EnvironmentSpec], Iterable[str]]


@dataclass(frozen=True)
class Builder:
    """How a target builds a capability.

    Attributes:
        build: `module:function`, called with the target's site; it registers resources and returns typed outputs, or
            None. Empty: the target has the capability with nothing of its own to build.
        after: Declarations that are built before it, where the environment builds them; None: what its row of the stage
            table needs.
        last: It takes what all others contribute, so it is built after them.
        when: Whether an environment builds it; None: when it uses the capability.
        problems: What a valid file may ask of it that this target cannot do, each as `path: got …; allowed …`.
    """

    build: str = ""
    after: tuple[str, ...] | None = None
    last: bool = False
    when: Condition | None = None
    problems: Problems | None = None

    def __call__(self, site: Any) -> object | None:
        """Build it.

        Raises:
            ImportError: There is no such function.
        """
        if not self.build:
            return None
        module, _, function = self.build.partition(":")
        built: object | None = getattr(import_module(module), function)(site)
        return built


@dataclass(frozen=True)
class LocalBuilder(Builder):
    """How this machine builds a capability.

    Attributes:
        ports: Its services, each with the names of its ports. A name of the stage table's is the file's to choose.
        programs: The programs that its services run (mlstrata.components.programs).
        system_ports: The same as `ports`, of the services that it runs for a system; by the system's name.
    """

    ports: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    programs: tuple[str, ...] = ()
    system_ports: Callable[[EnvironmentSpec], Mapping[str, Mapping[str, tuple[str, ...]]]] | None = None


@dataclass(frozen=True)
class ClusterBuilder(Builder):
    """How a cluster builds a capability.

    Attributes:
        upstream: The piece of the bill of materials that brings it: built where the environment takes that.
    """

    upstream: str = ""


@dataclass(frozen=True)
class Declaration:
    """A capability, or a part of the platform that several stand on.

    Attributes:
        name: The capability, or the part's own name.
        provides: Capabilities that come with it.
        local: How this machine builds it; None: it does not.
        kubernetes: How a cluster builds it; None: it does not.
        aws: How a cluster of AWS builds it; None: as any cluster.
    """

    name: str
    provides: tuple[str, ...] = ()
    local: LocalBuilder | None = None
    kubernetes: ClusterBuilder | None = None
    aws: ClusterBuilder | None = None

    def on(self, target: str) -> Builder | None:
        """Return how a kind of target builds it; None: it does not."""
        return {"local": self.local, "kubernetes": self.kubernetes, "aws": self.aws or self.kubernetes}[target]


TARGETS = ("local", "kubernetes", "aws")
_REGISTERED: dict[str, Declaration] = {}


def register(declaration: Declaration, row: stages.Entry | None = None) -> None:
    """Add an extension's capability; the same one again changes nothing.

    Args:
        declaration: How targets build it.
        row: Its row of the stage table; None: it is a part that others stand on, and no capability.

    Raises:
        ValueError: Its name is none or is taken, or it needs what is not known.
    """
    name = str(declaration.name)
    if row is not None and row.capability != name:
        raise ValueError(f"capability {name!r}: its row is called {row.capability!r}; give both the same name")
    if name in _own() or _REGISTERED.get(name, declaration) != declaration:
        raise ValueError(f"capability {name!r}: is declared already; give yours another name")
    if row is not None:
        stages.register(row)
    _REGISTERED[name] = declaration


def withdraw(name: str) -> None:
    """Take an extension's capability out again; one of the product's stays."""
    if _REGISTERED.pop(name, None) is not None:
        stages.withdraw(name)


def known() -> tuple[Declaration, ...]:
    """Return every declaration, in the order of the stage table; parts, which have no row, before those with one."""
    rows = {str(name): at for at, name in enumerate(stages.ENTRIES)}
    return tuple(sorted([*_own().values(), *_REGISTERED.values()], key=lambda one: rows.get(str(one.name), -1)))


def built(target: str) -> frozenset[str]:
    """Return the capabilities that a kind of target has."""
    found = {str(name) for one in known() if one.on(target) is not None for name in (one.name, *one.provides)}
    return frozenset(row.capability for name, row in stages.ENTRIES.items() if str(name) in found)


def unbuilt(spec: EnvironmentSpec) -> list[str]:
    """Name every capability that an environment uses and its target does not have, each with the fix."""
    target, there, used = spec.target.kind, built(spec.target.kind), used_capabilities(spec)
    off = spec.switches.on
    found = []
    for entry in stages.ENTRIES.values():
        name = entry.capability
        if name in there or name not in used:
            continue
        if name in off:
            place, fix = f"capabilities.on[{off.index(name)}]: ", "remove it there"
        elif name in (stages.Capability.TEAMS, stages.Capability.GPU_POOLS):
            place, fix = f"{name}: ", f"remove {name}"
        else:
            place, fix = "stage: " if entry.stage else "", f"switch it off (capabilities: {{off: [{name}]}})"
        below = f" or stay below stage '{entry.stage}'" if entry.stage and name not in off else ""
        found.append(f"{place}capability '{name}' is not built for target '{target}' yet; {fix}{below}")
    return found


def planned(spec: EnvironmentSpec, workspace: Workspace, selected: Iterable[str] = ()) -> list[tuple[str, Builder]]:
    """Return what an environment builds, by name, each after what it is built after.

    Args:
        spec: The environment.
        workspace: Where its file is.
        selected: The pieces of the bill of materials that it takes.

    Raises:
        ValueError: Two are built after one another.
    """
    used, pieces = used_capabilities(spec), frozenset(selected)
    wanted: dict[str, Builder] = {}
    brings: dict[str, str] = {}
    for one in known():
        builder = one.on(spec.target.kind)
        if builder is not None and _wanted(one, builder, spec, workspace, used, pieces):
            wanted[str(one.name)] = builder
            brings |= {str(name): str(one.name) for name in (one.name, *one.provides)}
    return list(_ordered(wanted, brings))


def _wanted(  # noqa: PLR0917 - all that the decision takes
    one: Declaration,
    builder: Builder,
    spec: EnvironmentSpec,
    workspace: Workspace,
    used: frozenset[str],
    pieces: frozenset[str],
) -> bool:
    if isinstance(builder, ClusterBuilder) and builder.upstream:
        return builder.upstream in pieces
    return builder.when(spec, workspace) if builder.when else one.name in used


def _ordered(wanted: Mapping[str, Builder], brings: Mapping[str, str]) -> Iterator[tuple[str, Builder]]:
    first = [name for name, builder in wanted.items() if not builder.last]
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name, builder in wanted.items():
        after = builder.after
        if after is None:
            after = stages.ENTRIES[name].needs if name in stages.ENTRIES else ()
        before = [brings[str(one)] for one in after if str(one) in brings]
        sorter.add(name, *(one for one in [*before, *(first if builder.last else ())] if one != name))
    try:
        yield from ((name, wanted[name]) for name in sorter.static_order())
    except CycleError as error:
        raise ValueError(f"capabilities are built after one another: {' after '.join(error.args[1])}") from None


@cache
def _own() -> dict[str, Declaration]:
    """Return the declarations in the folders of components, by name."""
    found: dict[str, Declaration] = {}
    for folder in pkgutil.iter_modules(mlstrata.components.__path__):
        path = Path(getattr(folder.module_finder, "path", "")) / folder.name / "capability.py"
        if folder.ispkg and path.is_file():
            declared = import_module(f"mlstrata.components.{folder.name}.capability").DECLARATIONS
            found |= {str(one.name): one for one in declared}
    return found
