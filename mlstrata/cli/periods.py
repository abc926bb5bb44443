"""Times that options give."""

from __future__ import annotations

from datetime import timedelta

from mlstrata.operations.errors import UsageError


def period(text: str) -> timedelta:
    """Read `--since`.

    Raises:
        UsageError: It is no duration.
    """
    from mlstrata.environments.spec.quantities import parse_duration

    try:
        return parse_duration(text)
    except ValueError:
        raise UsageError(f"--since: got '{text}'; allowed a number of s, m, h or d, such as 15m, 24h or 7d") from None
