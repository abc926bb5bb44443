"""Our own services as containers."""
