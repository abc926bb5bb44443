"""Ways in which several models answer, as predictors or graphs: each a plain function of models."""

from __future__ import annotations

from collections.abc import Sequence

from mlstrata.components.serving.seldon.deployment import Predictor
from mlstrata.components.serving.seldon.graph import Container, Logger, LogMode, Parameter, Unit, UnitType

_ALL = 100


def canary(champion: Predictor, challenger: Predictor, percent: int) -> tuple[Predictor, Predictor]:
    """Return both with their traffic: the challenger gets `percent`, 0 to 100."""
    return _sharing(champion, _ALL - percent), _sharing(challenger, percent)


def ab(first: Predictor, second: Predictor, percent: int = 50) -> tuple[Predictor, Predictor]:
    """Return both with their traffic: the second gets `percent`, and keeps it until the sample is large enough."""
    return canary(first, second, percent)


def shadowed(champion: Predictor, shadow: Predictor, percent: int = 100) -> tuple[Predictor, Predictor]:
    """Return a champion that gets all of the traffic, and a shadow that gets copies of `percent` of it."""
    return _sharing(champion, _ALL), _again(shadow, traffic=percent, shadow=True)


def bandit(
    name: str, arms: Sequence[Unit], router: Container, *, exploration: float = 0.1, verbose: bool = False
) -> Unit:
    """Return a router that learns from feedback which of its models does best (epsilon-greedy).

    Args:
        name: The router's name.
        arms: Two models or more.
        router: Its container: our own, or Seldon's mab_epsilon_greedy.
        exploration: Share of requests that try any arm, 0 to 1.
        verbose: Log each decision.

    Raises:
        ValueError: exploration is no share.
    """
    if not 0 <= exploration <= 1:
        raise ValueError(f"exploration: got {exploration}; allowed 0 to 1")
    settings = {"n_branches": len(arms), "epsilon": float(exploration), "verbose": verbose}
    parameters = tuple(Parameter(name=key, value=value) for key, value in settings.items())
    return Unit(name=name, type=UnitType.ROUTER, container=router, parameters=parameters, children=tuple(arms))


def guarded(detector: str, container: Container, model: Unit) -> Unit:
    """Return a model behind a detector of outliers, which sees each request first and tags what is unlike its data."""
    return Unit(name=detector, type=UnitType.TRANSFORMER, container=container, children=(model,))


def logged(unit: Unit, url: str, mode: LogMode = LogMode.ALL) -> Unit:
    """Return a unit whose payloads go to the recorder, or to a detector of drift, as CloudEvents.

    A detector of drift looks at many requests at once, so it stands beside the graph and reads what is logged.
    """
    return Unit.model_validate({**dict(unit), "logger": Logger(mode=mode, url=url)})


def _sharing(one: Predictor, percent: int) -> Predictor:
    return _again(one, traffic=percent, shadow=False)


def _again(one: Predictor, **changes: object) -> Predictor:
    """Return a predictor with changes, judged anew: `model_copy` would judge nothing."""
    return Predictor.model_validate({**dict(one), **changes})
