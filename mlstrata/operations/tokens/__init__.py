"""Tokens of consumers, and the keys that sign them."""
