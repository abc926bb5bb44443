"""The databases behind the platform's own services."""
