"""One training of a system."""
