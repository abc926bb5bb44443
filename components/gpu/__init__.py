"""Nodes with accelerators."""
