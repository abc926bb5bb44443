"""What one checkout makes of an environment that another does not."""
