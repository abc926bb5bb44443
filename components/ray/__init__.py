"""Work that takes several machines at once."""
