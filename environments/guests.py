"""What an environment's file names of its workspace's own code: whether it is there, and in which version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from mlstrata.environments.redaction import path_of
from mlstrata.environments.requirements import RequirementsError, read
from mlstrata.environments.spec.base import suggestion
from mlstrata.environments.spec.environment import EnvironmentSpec
from mlstrata.environments.spec.model import DOORS, LEARNERS, MEASURES, TRAINERS, ModelSpec
from mlstrata.environments.spec.sources import parameters
from mlstrata.environments.spec.tasks import Algorithm, Task
from mlstrata.environments.workspace import Workspace


def missing(spec: EnvironmentSpec, workspace: Workspace) -> Iterator[str]:
    """Yield a problem for each pipeline, learner and hyperparameter that is named and that nothing has."""
    for at, system in enumerate(spec.systems):
        for door in DOORS:
            problem = door.unknown_reference(getattr(system.model, door.field), workspace.root)
            # What its own lock brings is not among what is installed here: training looks.
            own = system.model.requirements and not door.file_of(getattr(system.model, door.field), workspace.root)
            if problem and not own:
                yield f"systems[{at}].model.{door.field}: {problem.what}; {problem.fix}"
        own_code = system.model.train or system.model.requirements or system.model.metrics
        if spec.target.kind != "local" and own_code and not system.model.image:
            what = "is missing; on a cluster the image holds a system's own code and requirements"
            yield f"systems[{at}].model.image: {what}; build one from mlstrata's (docs/your-model.md), name its digest"
        if system.model.requirements:
            try:
                read(workspace.root / system.model.requirements)
            except RequirementsError as error:
                yield f"systems[{at}].model.requirements: {error}"
        for name, reference in system.model.metrics.items():
            if problem := MEASURES.unknown_reference(reference, workspace.root):
                yield f"systems[{at}].model.{path_of(('metrics', name))}: {problem.what}; {problem.fix}"
        train = system.model.train
        if train and (problem := TRAINERS.unknown_reference(train, workspace.root)):
            yield f"systems[{at}].model.train: {problem.what}; {problem.fix}"
        yield from (f"systems[{at}].model.{what}" for what in _unknown_parameters(system.model, workspace))


_SHIPPED: Mapping[str, str] = {
    Algorithm.LOGISTIC_REGRESSION: "sklearn.linear_model:LogisticRegression",
    Algorithm.RANDOM_FOREST: "sklearn.ensemble:RandomForestClassifier",
    Algorithm.HIST_GRADIENT_BOOSTING: "sklearn.ensemble:HistGradientBoostingClassifier",
}
_REGRESSORS: Mapping[str, str] = {
    Algorithm.LINEAR_REGRESSION: "sklearn.linear_model:Ridge",
    Algorithm.RANDOM_FOREST: "sklearn.ensemble:RandomForestRegressor",
    Algorithm.HIST_GRADIENT_BOOSTING: "sklearn.ensemble:HistGradientBoostingRegressor",
}


def _unknown_parameters(model: ModelSpec, workspace: Workspace) -> Iterator[str]:
    """Yield a problem for each hyperparameter that an estimator does not have, where its source is installed here."""
    given = model.settings.get("parameters") or {}
    shipped = _REGRESSORS if model.task is Task.REGRESSION else _SHIPPED
    name = shipped.get(model.algorithm) or LEARNERS.reference(model.algorithm)
    module, _, attribute = name.partition(":")
    if model.train or not given or not module or (workspace.root / LEARNERS.folder / f"{module}.py").is_file():
        return
    known = parameters(module, attribute)
    for one in given:
        if known is not None and one not in known:
            fix = suggestion(one, known) or "remove it, or write one that it has"
            yield f"{path_of(('settings', 'parameters', one))}: {attribute} has no such hyperparameter; {fix}"


def code_version(model: ModelSpec, workspace: Workspace) -> str:
    """Name the version of the pipeline and learner of one's own that make a model; empty where it has neither.

    It is that of whole files and of their neighbours, which they may import.
    """
    modules = ((door, door.reference(getattr(model, door.field)).partition(":")[0]) for door in DOORS)
    files = [door.file(module, workspace.root) for door, module in modules if module]
    found = [
        (path.name.encode(), path.read_bytes()) for file in files if file for path in sorted(file.parent.glob("*.py"))
    ]
    package = TRAINERS.package(model.train.partition(":")[0], workspace.root) if model.train else None
    return _version(chain(found, _package(package) if package else ())) if found or package else ""


def metric_versions(model: ModelSpec, workspace: Workspace) -> dict[str, str]:
    """Name the version of the package that measures each figure of one's own; empty where there is no such package."""
    packages = {
        metric: MEASURES.package(reference.partition(":")[0], workspace.root)
        for metric, reference in model.metrics.items()
    }
    # Several figures may be of one package, which is read once.
    versions = {package: _version(_package(package)) for package in set(packages.values()) if package}
    return {metric: versions[package] if package else "" for metric, package in packages.items()}


def _version(contents: Iterable[tuple[bytes, bytes]]) -> str:
    """Name the version of names and their contents; a training's cache key holds it, so what is hashed stays."""
    found = hashlib.sha256()
    for name, content in contents:
        found.update(name + b"\0" + content + b"\0")
    return found.hexdigest()[:12]


def _package(folder: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names in a package's folder and their content, without what Python compiles."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
            yield str(path.relative_to(folder)).encode(), path.read_bytes()
