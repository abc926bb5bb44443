"""The model registry: versions with their figures, reports and files, and the champion alias."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlstrata.clients.mlflow.rest import MISSING, RegistryError, Rest
from mlstrata.clients.mlflow.versions import Candidate, Check, VersionView, input_types
from mlstrata_steps.seal import TAG

CHAMPION = "champion"
REPORTS = ("evaluation", "gates", "quality", "tuning", "comparison")
"""What a training run writes, each as NAME.json."""
_MARK = "MLmodel"
_GATES = "gates.json"
_PAGE = 200
_PAGES = 50
"""At the most: a registry that pages for ever must not hold the reader."""


class Registry(Rest):
    """MLflow's model registry."""

    def versions(self, system: str, **tags: str) -> list[dict[str, Any]]:
        """Return the versions of a system as MLflow has them, the newest first; with `tags`, those that bear them.

        Raises:
            RegistryError: it does not answer as it should.
        """
        wanted = [f"name = '{system}'", *(f"tags.{name} = '{value}'" for name, value in tags.items())]
        found: list[dict[str, Any]] = []
        token = ""
        for _ in range(_PAGES):
            page = self.get("model-versions/search", filter=" AND ".join(wanted), max_results=_PAGE, page_token=token)
            found += page.get("model_versions", [])
            if not (token := page.get("next_page_token", "")):
                break
        return sorted(found, key=lambda one: -int(one["version"]))

    def ready(self, system: str, **tags: str) -> list[dict[str, Any]]:
        """Return the versions whose files are complete, the newest first.

        Raises:
            RegistryError: it does not answer as it should.
        """
        return [one for one in self.versions(system, **tags) if one.get("status", "READY") == "READY"]

    def latest(self, system: str) -> str | None:
        """Return the newest version.

        Raises:
            RegistryError: it does not answer as it should.
        """
        return next((str(one["version"]) for one in self.ready(system)), None)

    def version_with(self, system: str, fingerprint: str, *, sealed: bool = False) -> str | None:
        """Return the newest version that these data, settings and code made.

        Args:
            system: The system.
            fingerprint: `mlstrata_steps.versioning.fingerprint`.
            sealed: Only one that bears a seal (`mlstrata_steps.seal`); whether it fits, a release looks.

        Raises:
            RegistryError: it does not answer as it should.
        """
        found = self.ready(system, fingerprint=fingerprint)
        bear = (one for one in found if not sealed or any(tag["key"] == TAG for tag in one.get("tags", [])))
        return next((str(one["version"]) for one in bear), None)

    def candidate(self, system: str, version: str | None) -> Candidate:
        """Return `version` of `system`, or its latest.

        Raises:
            RegistryError: there is none, or it does not answer.
        """
        versions = {str(one["version"]): one for one in self.ready(system)}
        if not versions:
            raise RegistryError(f"no version of {system} is registered at {self.address}; train one first")
        wanted = version or next(iter(versions))
        if wanted not in versions:
            known = ", ".join(sorted(versions, key=int))
            raise RegistryError(f"version: got {wanted!r}; registered of {system}: {known}")
        run = versions[wanted].get("run_id") or None
        created = versions[wanted].get("creation_timestamp")  # MLflow counts milliseconds
        return Candidate(
            wanted,
            str(self.get("model-versions/get-download-uri", name=system, version=wanted)["artifact_uri"]),
            figures(self.run(run)) if run else {},
            run,
            datetime.fromtimestamp(int(created) / 1000, tz=UTC) if created else None,
            {one["key"]: one["value"] for one in versions[wanted].get("tags", [])},
        )

    def view(self, version: Mapping[str, Any]) -> VersionView:
        """Return a version with what its run measured.

        Raises:
            RegistryError: it does not answer as it should.
        """
        tags = {one["key"]: one["value"] for one in version.get("tags", [])}
        run = str(version.get("run_id") or "")
        found = self.run(run) if run else {}
        return VersionView(
            version=str(version["version"]),
            run=run,
            pipeline_run=tags.get("pipeline_run", ""),
            environment=tags.get("environment", ""),
            commit=tags.get("commit", ""),
            code_commit=tags.get("code_commit", ""),
            data_version=tags.get("data_version", ""),
            origin=f"{tags['origin']} ({tags.get('origin_digest', '')})" if tags.get("origin") else "",
            judged_on=tags.get("evaluation_data_version", ""),
            unknown=tags.get("unknown", ""),
            metrics=dict(sorted(figures(found).items())),
            settings={one["key"]: str(one["value"]) for one in found.get("data", {}).get("params", [])},
        )

    def run(self, run: str) -> dict[str, Any]:
        """Return a run: its `info` and `data`.

        Raises:
            RegistryError: there is none, or it does not answer.
        """
        found = self.get("runs/get", run_id=run).get("run")
        if not isinstance(found, dict):
            raise RegistryError(f"the registry at {self.address} says nothing of run {run}")
        return found

    def reports(self, run: str) -> dict[str, dict[str, Any]]:
        """Return a run's reports by name; those that it did not write, and all of no run, are left out.

        Raises:
            RegistryError: it does not answer as it should, or a report is no JSON object.
        """
        if not run:
            return {}
        root = str(self.run(run)["info"]["artifact_uri"])
        there = {one["path"] for one in self.listed(root)}
        return {name: self._report(root, f"{name}.json") for name in REPORTS if f"{name}.json" in there}

    def checks(self, run: str | None) -> tuple[Check, ...] | None:
        """Return what a run checked of its model; None when it left no `gates.json`, as one made by hand.

        Raises:
            RegistryError: it does not answer, or the file is not what the training pipeline writes.
        """
        if (report := self.gates(run)) is None:
            return None
        try:
            return tuple(Check(one["name"], one["passed"], one["detail"], one["warns"]) for one in report["checks"])
        except (KeyError, TypeError) as error:
            raise RegistryError(f"{_GATES} of run {run} cannot be read: {error!r}") from error

    def gates(self, run: str | None) -> dict[str, Any] | None:
        """Return a run's `gates.json` as it lies there; None where it left none.

        Raises:
            RegistryError: it does not answer, or the file is no JSON object.
        """
        if not run:
            return None
        root = str(self.run(run)["info"]["artifact_uri"])
        return self._report(root, _GATES) if any(one["path"] == _GATES for one in self.listed(root)) else None

    def input_types(self, candidate: Candidate) -> dict[str, str]:
        """Return what a version takes: column to its type in MLflow's words; empty without a signature of columns.

        Raises:
            RegistryError: it does not answer, or the version's files are no model.
        """
        try:
            return input_types(self.read(candidate.files, _MARK).decode())
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RegistryError(f"version {candidate.version}: {_MARK} cannot be read: {error!r}") from error

    def download(self, candidate: Candidate, folder: Path) -> None:
        """Put the files of `candidate` at `folder`, all or nothing; files there already are complete.

        Raises:
            RegistryError: the files cannot be had, or are no model.
        """
        if folder.is_dir():
            return
        unfinished = folder.with_name(f"{folder.name}.tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        try:
            self.fetch(candidate.files, unfinished)
            if not (unfinished / _MARK).is_file():
                raise RegistryError(
                    f"version {candidate.version}: {candidate.files} holds no {_MARK}; register it again"
                )
            unfinished.replace(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def champion(self, system: str) -> str | None:
        """Return the version that has the champion alias.

        Raises:
            RegistryError: it does not answer as it should.
        """
        return self.alias(system, CHAMPION)

    def set_champion(self, system: str, version: str | None) -> None:
        """Give the champion alias to `version`, or to none.

        Raises:
            RegistryError: it does not answer, or refuses.
        """
        self.set_alias(system, CHAMPION, version)

    def alias(self, system: str, alias: str) -> str | None:
        """Return the version that has an alias.

        Raises:
            RegistryError: it does not answer as it should.
        """
        try:
            return str(self.get("registered-models/alias", name=system, alias=alias)["model_version"]["version"])
        except RegistryError as error:
            # A model without the alias is an invalid parameter to MLflow, one it does not know is missing.
            if error.code in (MISSING, "INVALID_PARAMETER_VALUE"):
                return None
            raise
        except (KeyError, TypeError) as error:
            raise RegistryError(f"the registry at {self.address} names no version of the alias {alias}") from error

    def set_alias(self, system: str, alias: str, version: str | None) -> None:
        """Give an alias to `version`, or to none.

        Raises:
            RegistryError: it does not answer, or refuses.
        """
        if self.alias(system, alias) == version:
            return
        if version is None:
            self.post("registered-models/alias", method="DELETE", name=system, alias=alias)
        else:
            self.post("registered-models/alias", name=system, alias=alias, version=version)

    def tag(self, system: str, version: str, key: str, value: str) -> None:
        """Write something about a version, in place of what was written under that key.

        Raises:
            RegistryError: it does not answer, or knows no such version.
        """
        self.post("model-versions/set-tag", name=system, version=version, key=key, value=value)

    def withdraw(self, system: str) -> str | None:
        """Delete a system's versions, and its runs as MLflow deletes them: `mlflow gc` removes them and their files.

        Returns:
            The id of the experiment that the runs are of; None: there is none.

        Raises:
            RegistryError: it does not answer, or refuses.
        """
        try:
            self.post("registered-models/delete", method="DELETE", name=system)
        except RegistryError as error:
            if error.code != MISSING:
                raise
        try:
            found = self.get("experiments/get-by-name", experiment_name=system)["experiment"]
        except RegistryError as error:
            if error.code != MISSING:
                raise
            return None
        if found["lifecycle_stage"] != "deleted":
            self.post("experiments/delete", experiment_id=found["experiment_id"])
        return str(found["experiment_id"])

    def experiment(self, name: str) -> str:
        """Return the id of an experiment, made if there is none.

        Raises:
            RegistryError: it does not answer, or refuses.
        """
        try:
            return str(self.get("experiments/get-by-name", experiment_name=name)["experiment"]["experiment_id"])
        except RegistryError as error:
            if error.code != MISSING:
                raise
        return str(self.post("experiments/create", name=name)["experiment_id"])

    def model(self, name: str) -> None:
        """Have a registered model of that name.

        Raises:
            RegistryError: it does not answer, or refuses.
        """
        try:
            self.post("registered-models/create", name=name)
        except RegistryError as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _report(self, root: str, name: str) -> dict[str, Any]:
        try:
            document = json.loads(self.read(root, name))
        except ValueError as error:
            raise RegistryError(f"{name} of the registry at {self.address} cannot be read: {error}") from error
        if not isinstance(document, dict):
            raise RegistryError(f"{name} of the registry at {self.address} is {type(document).__name__}, not an object")
        return document


def figures(run: Mapping[str, Any]) -> dict[str, float]:
    """Return a run's metrics; a figure that is no number cannot be kept as JSON, and says nothing to who decides."""
    measured = {one["key"]: float(one["value"]) for one in run.get("data", {}).get("metrics", [])}
    return {name: value for name, value in measured.items() if math.isfinite(value)}
