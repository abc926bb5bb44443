"""The runner of compiled pipelines."""
