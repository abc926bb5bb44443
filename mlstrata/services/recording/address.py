"""Where a Postgres is, as its secret's URI says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from mlstrata.services.registry.encryption import Context, encryption

if TYPE_CHECKING:
    from pg8000.native import Connection

PORT = 5432


@dataclass(frozen=True)
class Address:
    """A database of a server, and who asks it. As text it has no password."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    secured: Context = None

    @classmethod
    def parse(cls, uri: str, database: str = "") -> Address:
        """Read `postgresql://USER:PASSWORD@HOST[:PORT]/DATABASE[?sslmode=…]`.

        Args:
            uri: The address.
            database: Another database of that server; empty: the one it names.

        Raises:
            ValueError: It is none; the message has no password.
        """
        plain, secured = encryption(uri)
        parts = urlsplit(plain)
        try:
            port = parts.port or PORT
        except ValueError:
            raise ValueError("the database's address has a port that is no number") from None
        named = database or unquote(parts.path.lstrip("/"))
        if not parts.scheme.startswith("postgres") or not (parts.hostname and parts.username and named):
            raise ValueError("the database's address is none: postgresql://USER:PASSWORD@HOST[:PORT]/DATABASE")
        return cls(parts.hostname, port, named, unquote(parts.username), unquote(parts.password or ""), secured)

    def __str__(self) -> str:
        return f"postgresql://{self.host}:{self.port}/{self.database}"

    def connect(self, patience: float | None) -> Connection:
        """Open a connection.

        Args:
            patience: Seconds that an answer may take; None: as long as it takes.

        Raises:
            pg8000.exceptions.InterfaceError: It does not answer.
            pg8000.exceptions.DatabaseError: It lets nobody in.
        """
        from pg8000.native import Connection

        return Connection(
            self.user,
            host=self.host,
            port=self.port,
            database=self.database,
            password=self.password or None,
            ssl_context=self.secured,
            timeout=patience,
            application_name="mlstrata-recorder",
        )
