"""What a database's address says of encryption, in the words of Postgres' own clients; pg8000 takes a context."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode

MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
Context = ssl.SSLContext | bool | None
"""False: none; None: where the server has it; True: always, whoever the server is; else as the context says."""


def encryption(uri: str) -> tuple[str, Context]:
    """Return an address without what it says of encryption, and that as pg8000 takes it.

    Raises:
        ValueError: a mode that there is not, or a certificate that cannot be read.
    """
    plain, _, said = uri.partition("?")
    query = dict(parse_qsl(said, keep_blank_values=True))
    mode, root = query.pop("sslmode", "prefer"), query.pop("sslrootcert", "system")
    plain += f"?{urlencode(query)}" if query else ""
    if mode not in MODES:
        raise ValueError(f"sslmode: got '{mode}'; allowed {', '.join(MODES)}")
    if mode.startswith("verify"):
        return plain, _verifying(root, name=mode == "verify-full")
    return plain, {"disable": False, "require": True}.get(mode)


def _verifying(root: str, *, name: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if root == "system" else root)
    except OSError as error:
        raise ValueError(
            f"sslrootcert: {root} cannot be read ({error}); name a certificate in PEM, or system"
        ) from None
    context.check_hostname = name
    return context


def encrypt(context: Context) -> Callable[[], None]:
    """Have every connection to Postgres that SQLAlchemy opens in this process be so; return what ends that."""
    from sqlalchemy import Engine, event  # type: ignore[import-not-found,unused-ignore]

    def connecting(dialect: Any, _record: object, _arguments: object, given: dict[str, Any]) -> None:
        if dialect.driver == "pg8000":
            given["ssl_context"] = context

    event.listen(Engine, "do_connect", connecting)
    return partial(event.remove, Engine, "do_connect", connecting)
