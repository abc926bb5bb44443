"""Copies of what an environment keeps."""
