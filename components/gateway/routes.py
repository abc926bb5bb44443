"""`Routes`: the gateway's routes as the settings and the releases of the moment say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from mlstrata.components.gateway.rendering import condition, render
from mlstrata.components.supervision.common import StatelessProvider, difference
from mlstrata.components.supervision.files import write
from mlstrata.components.supervision.values import plain
from mlstrata.files import locked
from mlstrata.services.gateway.settings import ROLLOUT_LOCK, ROUTES_FILE


class RoutesProvider(StatelessProvider):
    """Renders the routes; a release renders them too, from the same settings, so the two agree."""

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare the settings; a file that a fresh rendering would not give is drift."""
        return difference(olds, news, inputs=("settings", "releases"), identity=("directory",), healthy="as rendered")

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Render."""
        return CreateResult("routes", self._apply(props))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Render anew."""
        return UpdateResult(self._apply(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Compare the file with a fresh rendering."""
        return ReadResult(id_, {**plain(props), "state": condition(props)})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Remove the file."""
        (Path(props["directory"]) / ROUTES_FILE).unlink(missing_ok=True)

    @staticmethod
    def _apply(props: dict[str, Any]) -> dict[str, Any]:
        directory = Path(props["directory"])
        # A release writes the same file: what is rendered here must not overwrite a newer decision.
        with locked(directory.parents[1] / ROLLOUT_LOCK):
            write(directory / ROUTES_FILE, render(props))
        return {**plain(props), "state": "as rendered"}


class Routes(Resource, module="mlstrata", name="Routes"):
    """The routes of a gateway.

    Attributes:
        state: `as rendered`, or what is wrong.
    """

    state: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        directory: Path,
        settings: pulumi.Input[str],
        releases: Mapping[str, Path],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the routes in the gateway's `directory`; `releases` gives the folder of each system's releases."""
        props = {
            "directory": str(directory),
            "settings": settings,
            "releases": {system: str(folder) for system, folder in releases.items()},
            "state": None,
        }
        super().__init__(RoutesProvider(), name, props, opts)
