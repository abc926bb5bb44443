"""Secrets as references to the store of an organisation."""
