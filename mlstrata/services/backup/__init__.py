"""Copies of what cannot be made again, in a bucket."""
