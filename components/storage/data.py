"""The bucket or the database that a dataset lies in, as the jobs that read it see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstrata.environments import EnvironmentSpec
from mlstrata.environments.spec.data import DatasetSpec
from mlstrata.environments.spec.storage import S3Storage

if TYPE_CHECKING:
    from mlstrata.components.storage.database import Database
    from mlstrata.components.storage.objects import ObjectStore


def store_of(dataset: DatasetSpec | None, own: ObjectStore) -> ObjectStore | Database | None:
    """Return the bucket or the database of a dataset; None: it lies in neither.

    Args:
        dataset: The dataset.
        own: The environment's own bucket, whose keys serve for what lies in it.
    """
    # With all that builds, which a check does not import.
    from mlstrata.components.storage.database import Database
    from mlstrata.components.storage.objects import ObjectStore

    if dataset is not None and dataset.database is not None:
        asked = dataset.database
        return Database(asked.address, asked.secret or "", ({"ipBlock": {"cidr": asked.network}},))
    location = dataset.location if dataset else None
    if dataset is None or location is None or location.scheme != "s3":
        return None
    if dataset.store is None:
        return own
    peers = ({"ipBlock": {"cidr": dataset.store.network}},)
    return ObjectStore(location.place, dataset.endpoint, own.region, secret=dataset.store.secret or "", peers=peers)


def unreadable(dataset: DatasetSpec, spec: EnvironmentSpec) -> str:
    """Return why no job on a cluster can read a dataset, its field first; empty where one can."""
    location = dataset.location
    if dataset.database is not None and dataset.database.secret is None:
        return (
            "database.secret: got none; name a Secret in the system's namespace with username and password of a role "
            "that may read it and nothing else"
        )
    if location is None or location.scheme != "s3":
        return ""
    storage = spec.storage
    own = (isinstance(storage, S3Storage) and storage.bucket) or f"mlstrata-{spec.name}"
    if location.place != own and (dataset.store is None or dataset.store.secret is None):
        return (
            f"store.secret: got none, but '{dataset.source}' is not in the environment's own bucket '{own}'; name a "
            "Secret in the system's namespace with access_key_id and secret_access_key that may read it"
        )
    return ""
