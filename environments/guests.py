"""What an environment's file names of its workspace's own code: whether it is there, and in which version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from mlstrata.environments.redaction import path_of
from mlstrata.environments.requirements import RequirementsError, read
from mlstrata.environments.spec.base import suggestion
from mlstrata.environments.spec.environment import EnvironmentSpec
from mlstrata.environments.spec.model import DOORS, LEARNERS, TRAINERS, Algorithm, ModelSpec, Task
from mlstrata.environments.spec.sources import parameters
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
        if spec.target.kind != "local" and (system.model.train or system.model.requirements) and not system.model.image:
            what = "is missing; on a cluster the image holds a system's own code and requirements"
            yield f"systems[{at}].model.image: {what}; build one from mlstrata's (docs/your-model.md), name its digest"
        if system.model.requirements:
            try:
                read(workspace.root / system.model.requirements)
            except RequirementsError as error:
                yield f"systems[{at}].model.requirements: {error}"
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
    found = hashlib.sha256()
    own = False
    for door in DOORS:
        module = door.reference(getattr(model, door.field)).partition(":")[0]
        file = door.file(module, workspace.root) if module else None
        for path in sorted(file.parent.glob("*.py")) if file else ():
            found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
            own = True
    if model.train and (package := TRAINERS.package(model.train.partition(":")[0], workspace.root)):
        own = True
        for path in sorted(package.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
                found.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()[:12] if own else ""
