"""What a declared system asks of the training pipeline; the service that runs it says how."""

from services.runner.requests import training_request, untrainable

__all__ = ["training_request", "untrainable"]
