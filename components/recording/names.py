"""What the recorder is called on a cluster, for whoever reaches it or its store there."""

NAME = "recorder"
PORT = 8095
DATABASE = "recorder"
"""Database of the platform's Postgres that keeps what is recorded."""
STORE_CLIENTS = (NAME, "monitor")
"""The services whose pods may ask the database for what is recorded."""
ACCESS, ACCESS_KEYS = "recorder-access", ("token",)
"""The secret of whoever reads, tells feedback and erases."""
APPEND, APPEND_KEYS = "recorder-append", ("token", "subject-key")
"""The secret of what predicts: it may append, and hashes persons and pseudonyms with the environment's key."""
RECORDS = {"mlstrata.io/records": "true"}
"""Label of pods that send what they predict."""
