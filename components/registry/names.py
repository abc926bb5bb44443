"""What the registry is called on a cluster, for whoever reaches it there."""

NAME = "mlflow"
PORT = 5000
POD = f"{NAME}-0"
"""Its one pod, to which whoever releases may forward a port."""
ACCESS = "mlflow-access"
"""The secret with the password, in every namespace whose pods ask the registry."""
