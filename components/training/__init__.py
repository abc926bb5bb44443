"""Training of systems by a job."""
