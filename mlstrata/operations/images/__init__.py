"""The images that an environment runs: digests and mirrors."""
