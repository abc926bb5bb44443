"""What the loop does to an environment on this machine: data, runner, releases."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.environments import SystemSpec
from mlstrata.environments.spec.retrain import RetrainSpec
from mlstrata.environments.workspace import VARIABLE
from mlstrata.operations.deployment import Deployment
from mlstrata.operations.errors import UsageError
from mlstrata.operations.learning.runner import Runner
from mlstrata.operations.learning.standing import standing_of
from mlstrata.services.retraining.dataset import WORKDIR
from mlstrata.services.retraining.loop import Composed, Place, Ran, Refused, Standing
from mlstrata.services.retraining.settings import LearningSettings
from mlstrata.services.retraining.trigger import Training
from mlstrata.services.rollout.tally import Tallies
from mlstrata.services.serving.folders import releases_folder
from mlstrata.services.serving.releases import FILE as RELEASES

if TYPE_CHECKING:
    from mlstrata.services.recording.store import Store
    from mlstrata.services.serving.releases import Releases

DECIDER = "learning process"
"""Who decides, in the audit log, where no person did."""
_COUNT_SECONDS, _COUNT_SHARE = 5.0, 0.02
"""How long a count of labelled rows is taken for granted at least, and the share of the time that counting may take:
it reads every one of them."""


class EnvironmentActions:
    """The actions of the loop (`services.retraining.loop.Actions`)."""

    def __init__(self, settings: LearningSettings) -> None:
        os.environ[VARIABLE] = str(settings.workspace)
        self._name = settings.environment
        self._opened: tuple[object, Deployment] | None = None
        self._counted: dict[str, tuple[float, int]] = {}
        self._said: dict[str, str] = {}
        self._tallies = Tallies()
        self._read: dict[str, tuple[object, Releases]] = {}

    @property
    def deployment(self) -> Deployment:
        """Return the environment as its file and its state are now; they are read again once one of them changed."""
        known = self._opened
        if known is None or known[0] != self._marks(known[1]):
            fresh = Deployment.open(self._name)
            known = self._opened = (self._marks(fresh), fresh)
        return known[1]

    @staticmethod
    def _marks(deployment: Deployment) -> object:
        return tuple(_changed(path) for path in (deployment.file, deployment.checkpoint))

    @property
    def is_up(self) -> bool:
        """Whether the environment's state says where its parts are: not yet while `up` makes it the first time."""
        try:
            return bool(self.deployment.target.urls)
        except UsageError:
            return False

    def envelopes(self) -> dict[str, RetrainSpec]:
        """Return the systems that this machine trains, and what bounds each."""
        return {one.name: one.retrain for one in self.deployment.spec.systems if one.untrainable() is None}

    def envelope(self, system: str) -> RetrainSpec | None:
        """Return what a system's file allows."""
        return self.envelopes().get(system)

    def released(self, system: str) -> Releases:
        """Return what was released of a system; it is read again once its file changed.

        Raises:
            UsageError: The file is not what a release writes.
        """
        deployment = self.deployment
        mark = (deployment.home, _changed(releases_folder(deployment.home, system) / RELEASES))
        known = self._read.get(system)
        if known is None or known[0] != mark:
            known = self._read[system] = (mark, deployment.target.released(system))
        return known[1]

    def champion(self, system: str) -> str | None:
        """Return the version of a system that answers."""
        return self.released(system).champion

    def rolling(self, systems: Iterable[str]) -> bool:
        """Say whether one of these systems is in a rollout."""
        return any(self.released(one).rollout for one in systems)

    def labelled(self, system: str) -> int:
        """Count the recorded rows that have their truth."""
        from mlstrata.services.retraining.dataset import labelled

        until, count = self._counted.get(system, (float("-inf"), 0))
        began = time.monotonic()
        if began > until:
            try:
                with closing(self._store()) as store:
                    count = sum(1 for _ in labelled(store, system, time.time(), groups=False))
            except FileNotFoundError:
                count = 0  # nothing was recorded yet
            now = time.monotonic()
            self._counted[system] = (now + max(_COUNT_SECONDS, (now - began) / _COUNT_SHARE), count)
        return count

    def compose(self, training: Training) -> Composed:
        """Write the data that a training learns from, and say what the runner is asked.

        Raises:
            Refused: The file changed since `up`, or its recorded rows cannot be learnt from.
        """
        from mlstrata.operations.training.local import request_of
        from mlstrata.services.retraining.dataset import NotComposed, compose, labelled
        from mlstrata_steps import StepError

        deployment = self.deployment
        try:
            system = deployment.system(training.system)
            self._refuse_outside(deployment, system)
            wanted = request_of(deployment, system, deployment.target.here("retrain").address("mlflow"))
        except UsageError as error:
            raise Refused(str(error)) from None
        name = system.training_data.name if system.training_data else wanted.source
        folder = deployment.home / WORKDIR / system.name
        try:
            with closing(self._store()) as store:
                made = compose(wanted, labelled(store, system.name, time.time()), folder, dataset=name)
        except (NotComposed, StepError, FileNotFoundError) as error:
            raise Refused(str(error)) from None
        form = {name: value for name, value in wanted.format.items() if name == "missing"}
        request = wanted.model_copy(
            update={
                "source": str(made.path),
                "named": made.named,
                "endpoint": "",
                "recorded": made.origins.text,
                "format": {**form, "kinds": dict(made.kinds)},
            }
        )
        return Composed(request.model_dump_json(), f"{made.named} ({made.origins.text})")

    def ran(self, training: Training) -> Ran | None:
        """Say where a training's run is."""
        return self._runner().ran(training.id)

    def submit(self, training: Training) -> None:
        """Have the runner do a composed training under its identity.

        Raises:
            Refused: The runner refuses the request.
        """
        self._runner().submit(training.id, training.system, json.loads(training.request))

    def standing(self, training: Training) -> Standing:
        """Say where a training's version is."""
        released = self.released(training.system)
        found = standing_of(released, training.version, begun=training.rolled is not None)
        said = self._said.get(training.system, "")
        return replace(found, text=f"{found.text}; {said}") if found.place is Place.ROLLING and said else found

    def begin(self, training: Training) -> None:
        """Begin the rollout of a training's version.

        Raises:
            Refused: The version may not be released.
        """
        from mlstrata.audit import fitted
        from mlstrata.clients.mlflow import RegistryError
        from mlstrata.operations.release import release
        from mlstrata.operations.releases import RolloutError
        from mlstrata.operations.releases.errors import Busy
        from mlstrata.operations.reporting import SILENT

        reason = fitted(f"retraining {training.id}: {training.reason}")
        try:
            release(self.deployment, training.system, SILENT, version=training.version, reason=reason, decider=DECIDER)
        except UsageError as error:
            raise Refused(str(error)) from None
        except RolloutError as error:
            if isinstance(error, Busy) or isinstance(error.__cause__, RegistryError | OSError):
                raise  # it comes right by itself
            if self.standing(training).place is not Place.NOWHERE:
                raise
            raise Refused(str(error)) from None

    def advance(self, system: str, now: float) -> None:
        """Take the rollout that a system is in, whoever began it, as far as its figures allow."""
        from mlstrata.operations.releases.errors import Busy
        from mlstrata.operations.rollout import advance
        from mlstrata.services.rollout.plan import Action

        released = self.released(system)
        if released.rollout is None and released.settled:
            self._said.pop(system, None)
            self._tallies.forget(system)
            return
        # Busy: a person releases at this moment.
        with suppress(Busy):
            decision = advance(self.deployment, system, datetime.fromtimestamp(now, UTC), tallies=self._tallies)
            # Figures change with every request and stand in the rollout's own record; that a person is needed stays.
            self._said[system] = decision.reason if decision.action is Action.NEEDS_APPROVAL else ""

    def _refuse_outside(self, deployment: Deployment, system: SystemSpec) -> None:
        """Refuse what nobody declared: another envelope than the deployed one, and features that were not recorded.

        Raises:
            UsageError: Algorithm, settings, features or anything else of the system differ from what is deployed.
        """
        deployed = {one["name"]: one for one in deployment.state.declared.get("systems", ())}
        if deployed.get(system.name) != system.model_dump(mode="json", exclude_none=True):
            raise UsageError(
                f"{deployment.file}: {system.name} has changes that `mlstrata up {deployment.name}` has not made; a "
                "system learns by itself inside what is deployed only"
            )
        model = system.model
        hidden = {*system.recording.exclude, *system.recording.pseudonymise}
        hidden -= {*model.exclude, *model.protected, str(model.target)}
        if unseen := sorted(hidden):
            raise UsageError(
                f"{deployment.file}: {system.name}: recording.exclude, recording.pseudonymise: {', '.join(unseen)} "
                "is not recorded as it was, so recorded rows teach nothing of it; record it, or name it in "
                "model.exclude"
            )

    def _store(self) -> Store:
        from mlstrata.services.recording.sqlite import open_store

        return open_store(self.deployment.home, read_only=True)

    def _runner(self) -> Runner:
        deployment = self.deployment
        token = (deployment.home / "config/runner/token").read_text(encoding="utf-8").strip()
        return Runner(deployment.target.here("retrain").address("runner"), token)


def _changed(path: Path) -> tuple[int, ...]:
    """Return what differs once a file was written: each time another one takes its place."""
    try:
        there = path.stat()
    except OSError:
        return ()
    return there.st_mtime_ns, there.st_ino, there.st_size
