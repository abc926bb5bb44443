"""How paths and values appear in a message: on one line, bounded, and never a secret."""

from __future__ import annotations

import re

LONGEST = 60
_SHORT_LIST = 3
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_SECRET_KEY = re.compile(r"(?i)pass(word|wd|phrase)?|secret|token|credential|api_?-?key|private|access_?-?key|auth")
_SECRET_VALUE = (
    re.compile(r"-----BEGIN"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}"),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}"),
    re.compile(r"\b(?:gh[pousr]|github_pat|glpat|xox[abpr]|sk|pk|rk|hf)[-_][A-Za-z0-9_-]{10,}"),
    re.compile(r"://[^/\s:@]*:[^/\s@]+@"),
)
_LONG_RUN = re.compile(r"[A-Za-z0-9+/_=-]{20,}")


def path_of(path: tuple[str | int, ...]) -> str:
    """Write a path as people do: `systems[0].rollout.strategy`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif _WORD.fullmatch(key) and not _looks_secret(key):
            text += f".{key}" if text else key
        else:
            text += f"[{shown(key)}]"
    return text


def shown(value: object, key: str = "") -> str:
    """Return `value` for a message.

    Args:
        value: a scalar, list or mapping from a file.
        key: the key it is under; a value under `password` is a secret whatever it looks like.

    Returns:
        one line of at most about 60 characters; of what looks like a secret, its length only.
    """
    if value is None:
        return "nothing"
    if isinstance(value, list) and 0 < len(value) <= _SHORT_LIST and not any(isinstance(v, dict | list) for v in value):
        return f"[{', '.join(shown(item, key) for item in value)}]"
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list" if value else "an empty list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if _SECRET_KEY.search(key) or _looks_secret(text):
        return f"a text of {len(text)} characters (hidden: it looks like a secret)"
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    # repr escapes line ends and control characters, and so keeps an error on its line.
    return repr(text) if isinstance(value, str) else text


def _looks_secret(text: str) -> bool:
    return any(pattern.search(text) for pattern in _SECRET_VALUE) or any(map(_random, _LONG_RUN.findall(text)))


def _random(run: str) -> bool:
    """Tell a random run of characters from a long word: it mixes cases and digits, and repeats little."""
    kinds = sum(bool(re.search(kind, run)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    hexadecimal = re.fullmatch(r"[0-9a-f]{32,}|[0-9A-F]{32,}", run) is not None
    return hexadecimal or (kinds == 3 and len(set(run)) >= 12)  # noqa: PLR2004 - of four
