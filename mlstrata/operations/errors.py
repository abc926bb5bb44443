"""How an operation ends when it does not succeed; whoever runs it turns these into an exit code or an answer."""


class UsageError(Exception):
    """A mistake that the user can mend: one message, exit code 2, nothing changed."""


class Failed(Exception):
    """The operation ran and what it was to bring about, or to check, did not hold: exit code 1."""
