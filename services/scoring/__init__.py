"""Batch scoring: a released model over a whole dataset, as a job."""
