"""Errors of settings as one line for people."""

from __future__ import annotations

from pydantic import ValidationError


def plain(error: Exception) -> str:
    """Say what is wrong without names of classes or addresses of documentation."""
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in error.errors())
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return str(error)
