"""What the monitor is called on a cluster, for whoever reaches it there."""

NAME = "monitor"
PORT = 8096
ACCESS, ACCESS_KEYS = "monitor-access", ("token",)
"""The secret of whoever reads its verdicts."""
