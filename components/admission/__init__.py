"""What the cluster itself refuses."""
