"""Who may read the catalog, and who may change something: whoever has a token, a link made from it, or its session.

There are two tokens, a reader's and an operator's. Links and sessions are signed with the one that they are of
(HMAC-SHA-256), say who it is and carry when they end, so the service keeps no list of sessions, and another token ends
them all.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mlstrata.services.http import is_bearer

LINK_SECONDS = 300
"""How long a login link is good for: long enough to be clicked, too short to be found in a history."""
SESSION_SECONDS = 12 * 3600
"""A working day."""
LONGEST_NAME = 100


class Role(StrEnum):
    """Axis: what somebody may do."""

    READER = "reader"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Person:
    """Who is logged in.

    Attributes:
        role: What they may do.
        name: Who they are, as their link or they themselves said; empty: nobody said.
    """

    role: Role
    name: str = ""

    @property
    def operates(self) -> bool:
        """Whether they may change something."""
        return self.role is Role.OPERATOR


@dataclass(frozen=True)
class _Ticket:
    ends: int
    name: str


def sign(token: str, purpose: str, ends: int, nonce: str, name: str = "") -> str:
    """Return a ticket for a purpose, `ENDS.NONCE.NAME.SIGNATURE`; it says nothing of the token."""
    coded = base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")
    message = f"{purpose}|{ends}|{nonce}|{coded}".encode()
    return f"{ends}.{nonce}.{coded}.{hmac.new(token.encode(), message, hashlib.sha256).hexdigest()}"


def link_ticket(token: str, now: float, name: str = "") -> str:
    """Return the ticket of a login link.

    Args:
        token: Of the role that it gives.
        now: Seconds since 1970.
        name: Who it is for.
    """
    return sign(token, "link", int(now) + LINK_SECONDS, secrets.token_urlsafe(12), name)


class Access:
    """Decides who may read and who may change something. Safe for several threads."""

    def __init__(self, token: str, operator: str | None = None) -> None:
        """Begin.

        Args:
            token: The readers'.
            operator: The operators'; None: nobody may change anything here.
        """
        self._tokens: Mapping[Role, str] = {Role.READER: token} | ({Role.OPERATOR: operator} if operator else {})
        self._used: dict[str, int] = {}
        self._lock = threading.Lock()

    def bearer(self, header: str) -> bool:
        """Say whether an Authorization header carries a token: an operator may do what a reader may."""
        return any(is_bearer(header, token) for token in self._tokens.values())

    def token(self, given: str) -> Role | None:
        """Return the role whose token a text is; None: of none."""
        for role, token in self._tokens.items():
            if hmac.compare_digest(given.encode(), token.encode()):
                return role
        return None

    def link(self, ticket: str, now: float) -> Person | None:
        """Return whom a login link lets in, and use it up: it opens one session only. None: it is not good."""
        found = self._known(ticket, "link", now)
        if found is None:
            return None
        person, ends = found
        with self._lock:
            self._used = {known: until for known, until in self._used.items() if until >= now}
            if ticket in self._used:
                return None
            self._used[ticket] = ends
        return person

    def session(self, now: float, person: Person) -> str:
        """Begin a session: the value of its cookie."""
        ends, nonce = int(now) + SESSION_SECONDS, secrets.token_urlsafe(12)
        return sign(self._tokens[person.role], "session", ends, nonce, person.name)

    def known(self, cookie: str, now: float) -> Person | None:
        """Return whose a cookie is; None: of no session, or of one that has ended."""
        found = self._known(cookie, "session", now)
        return found[0] if found else None

    def form_token(self, cookie: str) -> str:
        """Return what a form of a session carries, so that no page elsewhere can send one in its name."""
        return hmac.new(self._tokens[Role.READER].encode(), f"form|{cookie}".encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, cookie: str, given: str) -> bool:
        """Say whether a form was of that session."""
        return hmac.compare_digest(self.form_token(cookie).encode(), given.encode())

    def _known(self, ticket: str, purpose: str, now: float) -> tuple[Person, int] | None:
        for role, token in self._tokens.items():
            if found := _read(token, ticket, purpose, now):
                return Person(role, found.name), found.ends
        return None


def _read(token: str, ticket: str, purpose: str, now: float) -> _Ticket | None:
    ends, _, rest = ticket.partition(".")
    if not (ends.isascii() and ends.isdecimal() and len(ends) <= 12):  # noqa: PLR2004 - seconds for 30,000 years
        return None
    nonce, _, rest = rest.partition(".")
    name = _decoded(rest.partition(".")[0])
    expected = sign(token, purpose, int(ends), nonce, name)
    good = hmac.compare_digest(expected.encode(), ticket.encode()) and int(ends) >= now
    return _Ticket(int(ends), name) if good else None


def _decoded(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return ""
