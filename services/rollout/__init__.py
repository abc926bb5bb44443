"""Releases and rollbacks of model versions."""
