"""Stores of data: which resources are one, how they are encrypted, who may see them."""

from __future__ import annotations

from mlstrata.policies.core.graph import Graph, Resource, System
from mlstrata.policies.core.values import UnknownValueError, Value, dig
from mlstrata.policies.views.retention import BUCKETS

DATABASES = ("aws:rds/instance:Instance", "aws:rds/cluster:Cluster")
FILE_SYSTEMS = ("aws:efs/fileSystem:FileSystem", "aws:ebs/volume:Volume")
VOLUMES = ("kubernetes:core/v1:PersistentVolumeClaim",)
TABLES = ("aws:dynamodb/table:Table",)
ENCRYPTED = {
    **dict.fromkeys(DATABASES, ("storageEncrypted", "kmsKeyId")),
    **dict.fromkeys(FILE_SYSTEMS, ("encrypted", "kmsKeyId")),
    **dict.fromkeys(TABLES, ("serverSideEncryption.enabled", "serverSideEncryption.kmsKeyArn")),
    "aws:opensearch/domain:Domain": ("encryptAtRest.enabled", "encryptAtRest.kmsKeyId"),
    "aws:redshift/cluster:Cluster": ("encrypted", "kmsKeyId"),
    "aws:elasticache/replicationGroup:ReplicationGroup": ("atRestEncryptionEnabled", "kmsKeyId"),
}
"""Type of a store to where it says that it is encrypted, and with which key."""
CLOUD_STORES = (*BUCKETS, *ENCRYPTED)
STORES = (*CLOUD_STORES, *VOLUMES)
ENCRYPTIONS = ("aws:s3/bucketServerSideEncryptionConfiguration",)
KEYS = ("aws:kms/",)
PROVIDERS_KEY = "alias/aws/"
"""Part of the names of keys that the provider holds for whoever brings none."""
STORAGE_CLASS = "kubernetes:storage.k8s.io/v1:StorageClass"
CLASSIFICATION = "mlstrata.io/data-classification"
CLASSES = ("public", "internal", "confidential", "personal")
DRIVERS = "mlstrata.io/encryption-key"


def personal(store: Resource) -> bool:
    """Return whether a store is labelled as one of personal data."""
    return store.label(CLASSIFICATION) == "personal"


def is_personal(dataset: Value) -> bool:
    """Return whether a declared dataset is about people."""
    return dig(dataset, "classification") == "personal" or bool(
        dig(dataset, "personal") or dig(dataset, "special_categories")
    )


def processes_personal(system: System) -> bool:
    """Return whether a system declares personal data."""
    return any(map(is_personal, system.all("data")))


def own_key(store: Resource, graph: Graph) -> bool:
    """Return whether a store is encrypted with a key that the customer holds, one made in this plan too.

    Raises:
        UnknownValueError: the key is unknown, and nothing recorded says where it comes from.
    """
    if store.type.startswith(BUCKETS):
        encryptions = graph.referring(store, "bucket", *ENCRYPTIONS)
        found = [(encryption, "rules") for encryption in encryptions]
        return any(_by_key(one, at) for one, at in [*found, (store, "serverSideEncryptionConfiguration.rule")])
    if store.type.startswith(VOLUMES):
        return bool(store.label(DRIVERS)) and _of_a_class(store, graph)
    says, key = next(at for kind, at in ENCRYPTED.items() if store.type.startswith(kind))
    return store.get(says) is True and store.set_or_made_here(key, KEYS) and not _of_the_provider(store, key)


def _by_key(encryption: Resource, at: str) -> bool:
    """Return whether a bucket's encryption names a key of the customer; one of this plan may be unknown yet."""
    made_here = any(origin.type.startswith(KEYS) for origin in encryption.refers(at))
    default = "applyServerSideEncryptionByDefault"
    try:
        for rule in encryption.all(at):
            if str(dig(rule, f"{default}.sseAlgorithm", "")).startswith("aws:kms"):
                key = dig(rule, f"{default}.kmsMasterKeyId")
                return bool(key) and PROVIDERS_KEY not in str(key)
    except UnknownValueError:
        if not made_here:
            raise
        return True
    return False


def _of_the_provider(store: Resource, key: str) -> bool:
    try:
        return PROVIDERS_KEY in str(store.get(key))
    except UnknownValueError:
        return False  # it is one that this plan makes


def _of_a_class(volume: Resource, graph: Graph) -> bool:
    """Return whether a volume's class names a key, where this plan makes the class; else its label is all there is."""
    name = volume.get("spec.storageClassName")
    classes = [one for one in graph.of(STORAGE_CLASS) if name and name in (one.get("metadata.name"), one.name)]
    return all(one.get("parameters.encrypted") == "true" and one.get("parameters.kmsKeyId") for one in classes)
