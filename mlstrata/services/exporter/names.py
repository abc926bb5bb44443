"""Names that the exporter and whoever reads its measures share."""

PRUNED = "mlstrata_pruned_timestamp_seconds"
"""The metric that says when all that could go was removed last."""
