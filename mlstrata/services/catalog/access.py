"""Who may read the catalog: whoever has its token, or a link made from it, or the session that such a link began.

Links and sessions are signed with the token (HMAC-SHA-256) and carry when they end, so the service keeps no list of
sessions, and another token ends them all.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading

from mlstrata.services.http import is_bearer

LINK_SECONDS = 300
"""How long a login link is good for: long enough to be clicked, too short to be found in a history."""
SESSION_SECONDS = 12 * 3600
"""A working day."""


def sign(token: str, purpose: str, ends: int, nonce: str) -> str:
    """Return a ticket for a purpose, `ENDS.NONCE.SIGNATURE`; it says nothing of the token."""
    message = f"{purpose}|{ends}|{nonce}".encode()
    return f"{ends}.{nonce}.{hmac.new(token.encode(), message, hashlib.sha256).hexdigest()}"


def link_ticket(token: str, now: float) -> str:
    """Return the ticket of a login link."""
    return sign(token, "link", int(now) + LINK_SECONDS, secrets.token_urlsafe(12))


class Access:
    """Decides who may read. Safe for several threads."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._used: dict[str, int] = {}
        self._lock = threading.Lock()

    def bearer(self, header: str) -> bool:
        """Say whether an Authorization header carries the token."""
        return is_bearer(header, self._token)

    def token(self, given: str) -> bool:
        """Say whether a text is the token."""
        return hmac.compare_digest(given.encode(), self._token.encode())

    def link(self, ticket: str, now: float) -> bool:
        """Say whether a login link is good, and use it up: it opens one session only."""
        ends = self._ends(ticket, "link", now)
        if ends is None:
            return False
        with self._lock:
            self._used = {known: until for known, until in self._used.items() if until >= now}
            if ticket in self._used:
                return False
            self._used[ticket] = ends
        return True

    def session(self, now: float) -> str:
        """Begin a session: the value of its cookie."""
        return sign(self._token, "session", int(now) + SESSION_SECONDS, secrets.token_urlsafe(12))

    def known(self, cookie: str, now: float) -> bool:
        """Say whether a cookie is that of a session that has not ended."""
        return self._ends(cookie, "session", now) is not None

    def _ends(self, ticket: str, purpose: str, now: float) -> int | None:
        ends, _, rest = ticket.partition(".")
        if not (ends.isascii() and ends.isdecimal() and len(ends) <= 12):  # noqa: PLR2004 - seconds for 30,000 years
            return None
        expected = sign(self._token, purpose, int(ends), rest.partition(".")[0])
        good = hmac.compare_digest(expected.encode(), ticket.encode()) and int(ends) >= now
        return int(ends) if good else None
