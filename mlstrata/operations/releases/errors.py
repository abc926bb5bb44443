"""What a release or a rollback can fail with."""


class RolloutError(Exception):
    """A release or rollback did not happen, or not in full; the message says what serves now and what to do."""


class Busy(RolloutError):
    """Another rollout holds the environment at this moment; nothing was done."""
