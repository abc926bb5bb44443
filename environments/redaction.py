"""How paths and values appear in a message: on one line, bounded, and never a secret.

No pattern tells every secret from a slip of the hand, so a text is repeated only where it could hardly be one: it is
made of words that the documented fields have themselves, or nearly, and of little else.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

LONGEST = 60
_SHORT_LIST = 3
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_SECRET = re.compile(r"(?i)pass(word|wd|phrase)?|secret|token|credential|api_?-?key|private|access_?-?key|auth")
_BEFORE_A_HOST = re.compile(r"//[^/\s]*@")
"""Whatever stands before the host of an address: a user, a password, a token alone."""
_STRANGE = re.compile(r"[^\w\s.,:;/*@%()'\"+<>=-]")
"""Signs that values of fields do without, and passwords love."""
_MIXED = re.compile(r"[^\W_]*(?:[^\W\d_]\d|\d[^\W\d_])[^\W_]*")
_LONGEST_MIXED = 5
"""Letters and digits in one word, such as `150ms`; a longer one may be a token."""
_MOST_DIGITS = 8
"""Digits in a text, such as those of a day."""
_MOST_UNKNOWN = 7
"""Letters of a text in words that no field has: a password worth the name has more."""
_LONGEST_CAPITALS = 3
_CLOSE = 0.8
"""How alike a mistyped word is to the one that is meant, from 0 to 1."""
_SCHEMA = Path(__file__).with_name("environment.schema.json")


def path_of(path: tuple[str | int, ...]) -> str:
    """Write a path as people do: `systems[0].rollout.strategy`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif _WORD.fullmatch(key) and is_public(key):
            text += f".{key}" if text else key
        else:
            text += f"[{shown(key)}]"
    return text


def shown(value: object, *keys: str | int) -> str:
    """Return `value` for a message.

    Args:
        value: a scalar, list or mapping from a file.
        keys: the keys it is under; a value under `password` is a secret whatever it looks like.

    Returns:
        one line of at most about 60 characters; of what may be a secret, its length only.
    """
    if value is None:
        return "nothing"
    if isinstance(value, list) and 0 < len(value) <= _SHORT_LIST and not any(isinstance(v, dict | list) for v in value):
        return f"[{', '.join(shown(item, *keys) for item in value)}]"
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list" if value else "an empty list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if under_secret(keys) or (isinstance(value, str) and not is_public(value)):
        return f"a text of {len(text)} characters (hidden: it may be a secret)"
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    # repr escapes line ends and control characters, and so keeps an error on its line.
    return repr(text) if isinstance(value, str) else text


def under_secret(keys: Iterable[str | int]) -> bool:
    """Say whether a key that a value is under tells that it is a secret."""
    return any(isinstance(key, str) and _SECRET.search(key) for key in keys)


@lru_cache(4096)
def is_public(text: str, most_unknown: int = _MOST_UNKNOWN) -> bool:
    """Say whether a text can be repeated: it has no form of a secret, and next to nothing that no field knows."""
    text = text[: LONGEST + 1]
    if _SECRET.search(text):
        return text.lower() in _known_words()
    if _BEFORE_A_HOST.search(text) or _STRANGE.search(text) or sum(map(str.isdecimal, text)) > _MOST_DIGITS:
        return False
    if any(len(word[0]) > _LONGEST_MIXED for word in _MIXED.finditer(text)):
        return False
    unknown = [word for word in re.findall(r"[^\W\d_]+", text) if not _is_known(word.lower())]
    shouted = any(word.isupper() and len(word) > _LONGEST_CAPITALS for word in unknown)
    return not shouted and sum(map(len, unknown)) <= most_unknown


def _is_known(word: str) -> bool:
    return word in _known_words() or bool(difflib.get_close_matches(word, _beginning(word[0]), n=1, cutoff=_CLOSE))


@cache
def _beginning(letter: str) -> list[str]:
    """Return the known words to compare with: the first letter is seldom mistyped."""
    return [word for word in _known_words() if word[0] == letter]


@cache
def _known_words() -> frozenset[str]:
    """Return the words of the published fields: their names, values and descriptions."""
    return frozenset(re.findall(r"[a-z]+", _SCHEMA.read_text(encoding="utf-8").lower()))
