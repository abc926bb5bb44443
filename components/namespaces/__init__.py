"""Namespaces of the platform, its teams and their systems."""
