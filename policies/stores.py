"""Stores of data: which resources are one, how they are encrypted, who may see them."""

from __future__ import annotations

from policies.graph import Graph, Resource, System
from policies.retention import BUCKETS
from policies.values import dig

DATABASES = ("aws:rds/instance:Instance", "aws:rds/cluster:Cluster")
FILE_SYSTEMS = ("aws:efs/fileSystem:FileSystem", "aws:ebs/volume:Volume")
VOLUMES = ("kubernetes:core/v1:PersistentVolumeClaim",)
CLOUD_STORES = (*BUCKETS, *DATABASES, *FILE_SYSTEMS)
STORES = (*CLOUD_STORES, *VOLUMES)
ENCRYPTIONS = ("aws:s3/bucketServerSideEncryptionConfiguration",)
KEYS = ("aws:kms/",)
CLASSIFICATION = "mlstrata.io/data-classification"
CLASSES = ("public", "internal", "confidential", "personal")
DRIVERS = "mlstrata.io/encryption-key"
EU_REGIONS = ("eu-central-1", "eu-west-1", "eu-west-3", "eu-south-1", "eu-south-2", "eu-north-1", "eusc-de-east-1")
"""Regions of AWS inside the European Union: London (eu-west-2) and Zurich (eu-central-2) are not."""


def personal(store: Resource) -> bool:
    """Return whether a store is labelled as one of personal data."""
    return store.label(CLASSIFICATION) == "personal"


def processes_personal(system: System) -> bool:
    """Return whether a system declares personal data."""
    return any(
        dig(one, "classification") == "personal" or dig(one, "personal") or dig(one, "special_categories")
        for one in system.all("data")
    )


def own_key(store: Resource, graph: Graph) -> bool:
    """Return whether a store is encrypted with a key that the customer holds, one made in this plan too.

    Raises:
        UnknownValueError: the key is unknown, and nothing recorded says where it comes from.
    """
    if store.type.startswith(BUCKETS):
        for encryption in graph.referring(store, "bucket", *ENCRYPTIONS):
            # The rules may hold a key of this plan, unknown yet: what they refer to says that it is one.
            if any(origin.type.startswith(KEYS) for origin in encryption.refers("rules")):
                return True
            default = "applyServerSideEncryptionByDefault"
            if any(
                str(dig(rule, f"{default}.sseAlgorithm", "")).startswith("aws:kms")
                and dig(rule, f"{default}.kmsMasterKeyId")
                for rule in encryption.all("rules")
            ):
                return True
        return False
    if store.type.startswith(VOLUMES):
        return bool(store.label(DRIVERS))
    encrypted = store.get("storageEncrypted" if store.type.startswith(DATABASES) else "encrypted")
    return encrypted is True and store.set_or_made_here("kmsKeyId", KEYS)
