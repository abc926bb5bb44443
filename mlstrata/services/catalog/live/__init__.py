"""What goes on now, read from where each service leaves it; a source that is missing is said, never raised."""
