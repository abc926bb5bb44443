"""Where a local environment's artifacts lie: from its file, or from the migration that is under way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pulumi

from mlstrata.components.storage.names import CREDENTIALS_FILE
from mlstrata.environments import EnvironmentSpec, Workspace
from mlstrata.environments.spec.storage import FolderStorage, S3Storage, Storage
from mlstrata.services.storage import migration
from mlstrata.services.storage.settings import BucketStore, FolderStore, Store


class Stores:
    """The stores of an environment.

    Attributes:
        active: The storage that its registry uses.
    """

    def __init__(self, spec: EnvironmentSpec, workspace: Workspace) -> None:
        self._name, self._root, self._home = spec.name, workspace.root, workspace.home(spec.name)
        moving = migration.read(self._home)
        self.active: Storage = moving.active if moving else spec.storage
        self._needed = moving.needed if moving else (spec.storage,)

    @property
    def own(self) -> bool:
        """Say whether the environment runs a store of objects itself."""
        return any(isinstance(one, S3Storage) and not one.endpoint for one in self._needed)

    @property
    def uri(self) -> str:
        """Return where the registry keeps its artifacts."""
        return self.store(self.active).uri

    def access(self, endpoint: pulumi.Input[str]) -> pulumi.Output[Mapping[str, str]]:
        """Return the variables with which the registry gets at them; `endpoint` is the own store's address."""
        return pulumi.Output.from_input(endpoint).apply(lambda url: self.store(self.active, str(url)).variables())

    def store(self, storage: Storage, own_endpoint: str = "") -> Store:
        """Return a storage as services are told of it."""
        if isinstance(storage, FolderStorage):
            return FolderStore(path=self._root / storage.path if storage.path else self._own_folder)
        return BucketStore(
            bucket=storage.bucket or f"mlstrata-{self._name}",
            endpoint=(storage.endpoint or own_endpoint).rstrip("/"),
            credentials=self._root / storage.credentials if storage.credentials else self._home / CREDENTIALS_FILE,
            own=not storage.endpoint,
            versioning=storage.versioning,
        )

    @property
    def _own_folder(self) -> Path:
        return self._home / "data/mlflow/artifacts"
