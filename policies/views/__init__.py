"""What rules ask of resources of other packages."""
