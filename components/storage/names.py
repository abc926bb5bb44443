"""How the store of objects on this machine is called, and what it listens on."""

from __future__ import annotations

SERVICE = "storage"
PORTS = ("s3", "s3_grpc", "master", "master_grpc", "volume", "volume_grpc", "filer", "filer_grpc", "metrics")
CREDENTIALS_FILE = f"config/{SERVICE}/credentials"
"""The access keys' place in an environment's home, in AWS's format; readable by its owner alone."""
