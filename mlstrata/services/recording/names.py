"""Where an environment keeps what is recorded, from its home; what records and what reads agree here."""

from __future__ import annotations

from mlstrata.services.http import token_file

SERVICE = "recorder"
CONFIG = f"config/{SERVICE}"
TOKEN_FILE = token_file(SERVICE)
KEY_FILE = f"{CONFIG}/subject-key"
"""The environment's key for hashes of persons and pseudonyms; mode 0600."""
WORKDIR = f"data/{SERVICE}"
DATABASE = f"{WORKDIR}/predictions.db"
PROTECTED = f"{WORKDIR}/protected"
"""Folder, mode 0700, of what is read for measuring fairness alone."""
GROUPS = f"{PROTECTED}/groups.db"
COMPLETENESS = f"{WORKDIR}/completeness.json"
"""How far the gateway's log was compared with what is recorded."""
PRUNED = "mlstrata_recorder_retention_timestamp_seconds"
"""When what was kept long enough was last removed."""
LOOKED = "mlstrata_recorder_completeness_timestamp_seconds"
"""When the gateway's log was last compared."""
ADOPTED = "mlstrata_recorder_adoption_timestamp_seconds"
"""When what processes left in their spills was last taken in."""

TOKEN, APPEND_TOKEN = "MLSTRATA_RECORDER_TOKEN", "MLSTRATA_RECORDER_APPEND_TOKEN"
"""On a cluster: variables with the token of whoever reads, tells feedback and erases, and of what predicts."""
SUBJECT_KEY = "MLSTRATA_RECORDER_SUBJECT_KEY"
"""Variable with the key of persons' hashes, for a workstation that may not read the secret."""
STORE_ADDRESS = "MLSTRATA_RECORDER_DATABASE"
"""Variable with the address of the server that has what is recorded."""
PREDICTIONS_SCHEMA, PROTECTED_SCHEMA = "predictions", "protected"
"""Schemas there: of what was predicted, and of what is read for measuring fairness alone."""
