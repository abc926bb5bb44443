"""Names that the listener, its quotas, the routes and whoever reads the log share."""

CONSUMER_HEADER = "x-mlstrata-consumer"
"""Who calls, from the token; what a client sends under this name is dropped."""
SUBJECT_HEADER = "x-subject-id"
"""Whom a request is about, where the caller says so: one person sees one version of an A/B test, and what is recorded
can be erased."""
RATE_FILTER = "mlstrata.rate"
QUOTA_FILTER = "mlstrata.quota"
TOKEN_HOURS = 24 * 30
"""The most that a token is good for."""
ACCESS_LOG = "logs/access.log"
"""The gateway's log on this machine, from the environment's home; logfiles.py says what lies beside it."""
ARCHIVED = "mlstrata_access_log_archived_timestamp_seconds"
"""The metric that says when all of the log that was to be archived last was."""
REOPEN_PATH = "/reopen_logs"
"""Where Envoy's admin interface is told to open its logs anew."""
