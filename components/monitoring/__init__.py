"""Metrics, alert rules and who is told."""
