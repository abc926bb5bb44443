"""Runs compiled pipelines on this machine: as one job, or under a small server with schedules and a store of runs."""
