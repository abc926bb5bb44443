"""How a person is known in what is recorded: by a keyed hash, the same wherever it is made.

A hash without a key is none: who has a list of customers would hash it and look. The key is the environment's own
(`names.KEY_FILE`), so the same person has another hash in another environment.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata

_DIGITS = 32
"""Hexadecimal digits of a hash: 128 bits, so that no two persons of a country share one."""


def subject_hash(key: str, subject: str | int) -> str:
    """Return how a person is known in the records of an environment.

    Args:
        key: The environment's key, as its file has it.
        subject: The person's identifier, as a request or a person's letter gives it. Spaces around it and the way in
            which accents are composed do not count; 7 and "7" are one.

    Raises:
        ValueError: The key or the identifier is empty.
    """
    plain = unicodedata.normalize("NFC", str(subject)).strip()
    if not plain:
        raise ValueError("subject: is empty; give the identifier that requests carry")
    return keyed_hash(key, "subject", plain)


def keyed_hash(key: str, purpose: str, value: str) -> str:
    """Return a value's keyed hash (HMAC-SHA-256); of another purpose, the same value has another.

    Args:
        key: The environment's key, as its file has it.
        purpose: What it is made for, such as the column of a pseudonym.
        value: What is hashed.

    Raises:
        ValueError: The key is empty.
    """
    if not key.strip():
        raise ValueError("key: is empty; the recorder's `config/recorder/subject-key` holds the environment's")
    said = f"{len(purpose)}:{purpose}{value}".encode()
    return hmac.new(key.strip().encode(), said, hashlib.sha256).hexdigest()[:_DIGITS]
