"""Names that the listener, its quotas and the routes share."""

CONSUMER_HEADER = "x-mlstrata-consumer"
"""Who calls, from the token; what a client sends under this name is dropped."""
RATE_FILTER = "mlstrata.rate"
QUOTA_FILTER = "mlstrata.quota"
