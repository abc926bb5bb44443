"""The bill of materials: every upstream piece, and the only place with a version of one in it."""
