"""What of a cluster waits while an update runs, and for what: nobody should learn of a full node from a timeout."""
