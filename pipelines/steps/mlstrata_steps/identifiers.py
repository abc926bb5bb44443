"""Texts that name or reach a person: how each kind is written, and its check digits where it has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address


@dataclass(frozen=True)
class Kind:
    """A kind of personal data that shows in a single value.

    Attributes:
        name: What people call it.
        pattern: Finds candidates in a text.
        valid: Says of a candidate whether it is one: check digits and known prefixes.
        least: Share of a column's values that must hold one before the column counts; above 0 where chance alone
            makes some.
        chance: Share of the values that look like one, of which more must have fitting check digits: as many as this
            have them by chance where article and order numbers have the same length.
    """

    name: str
    pattern: re.Pattern[str]
    valid: Callable[[str], bool]
    least: float = 0.0
    chance: float = 0.0

    def found_in(self, text: str) -> bool:
        """Say whether a text holds one."""
        return any(self.valid(match.group()) for match in self.pattern.finditer(text))

    def candidates(self, counted: Mapping[str, int]) -> int:
        """Count the rows whose text is written like one, whatever its check digits say."""
        return sum(rows for text, rows in counted.items() if self.pattern.search(text))


def luhn(text: str) -> bool:
    """Check the last digit by Luhn's rule (ISO/IEC 7812-1)."""
    digits = _digits(text)
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return len(digits) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def card(text: str) -> bool:
    """Check a payment card's length, leading digits and check digit."""
    number = "".join(str(digit) for digit in _digits(text))
    known = re.match(r"4|5[1-5]|2[2-7]|3[47]|36|38|30[0-5]|6011|65|35|62", number)
    return 13 <= len(number) <= 19 and bool(known) and len(set(number)) > 1 and luhn(number)


def iban(text: str) -> bool:
    """Check an account number modulo 97 (ISO 13616)."""
    compact = re.sub(r"\s", "", text).upper()
    moved = compact[4:] + compact[:4]
    return 15 <= len(compact) <= 34 and int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1


def german_tax_id(text: str) -> bool:
    """Check a German Steuer-ID: eleven digits, the last by ISO 7064 modulo 11, 10."""
    digits = _digits(text)
    if len(digits) != 11 or digits[0] == 0 or not 7 < len(set(digits[:10])) < 10:
        return False
    product = 10
    for digit in digits[:10]:
        product = ((digit + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == digits[10]


def dutch_bsn(text: str) -> bool:
    """Check a Dutch burgerservicenummer by its weights modulo 11."""
    digits = _digits(text)
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return len(digits) == len(weights) and any(digits) and _weighted(digits, weights) % 11 == 0


def polish_pesel(text: str) -> bool:
    """Check a Polish PESEL: its date and its weights modulo 10."""
    digits = _digits(text)
    if len(digits) != 11:
        return False
    month, day = (digits[2] * 10 + digits[3]) % 20, digits[4] * 10 + digits[5]
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    return 1 <= month <= 12 and 1 <= day <= 31 and _weighted(digits, weights) % 10 == 0


def french_nir(text: str) -> bool:
    """Check a French numéro de sécurité sociale: fifteen digits, the last two modulo 97."""
    digits = "".join(str(digit) for digit in _digits(text))
    return len(digits) == 15 and digits[0] in "12" and 97 - int(digits[:13]) % 97 == int(digits[13:])


def spanish_dni(text: str) -> bool:
    """Check the letter of a Spanish DNI or NIE modulo 23."""
    body = text.upper().replace("-", "")
    number = {"X": "0", "Y": "1", "Z": "2"}.get(body[0], body[0]) + body[1:-1]
    return number.isdigit() and "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == body[-1]


def finnish_hetu(text: str) -> bool:
    """Check the sign of a Finnish henkilötunnus modulo 31."""
    signs = "0123456789ABCDEFHJKLMNPRSTUVWXY"
    return signs[int(text[:6] + text[7:10]) % 31] == text[10]


def us_ssn(text: str) -> bool:
    """Check that a number could be a United States social security number: it has no check digit."""
    area, group, serial = text.split("-")
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def address(text: str) -> bool:
    """Check that a text is an internet address of version 4 or 6."""
    try:
        found = ip_address(text)
    except ValueError:
        return False
    return not found.is_unspecified


def _always(_text: str) -> bool:
    return True


def _phone(text: str) -> bool:
    return 8 <= len(_digits(text)) <= 15


# A tenth of all numbers have a fitting check digit by chance: only where most of those of the same length have one,
# they are what it is for.
_FULL = 0.5
_SOME = 0.02

_EMAIL = r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
_IBAN = r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"
_IP = r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){3,7})(?![\w:])"
_PHONE = r"(?<![\w.])(?:\+\d|0\d|\(\d)[\d ()/.-]{6,18}\d(?!\w)"
_NIR = r"(?<![\w.])[12](?: ?\d){14}(?!\w)"
_SSN = r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"

KINDS: tuple[Kind, ...] = (
    Kind("e-mail address", re.compile(_EMAIL), _always),
    Kind("IBAN", re.compile(_IBAN), iban, chance=_FULL),
    Kind(
        "French social security number",
        re.compile(_NIR),
        french_nir,
        _SOME,
        chance=_FULL,
    ),
    Kind("payment card number", re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w.])"), card, _SOME, chance=_FULL),
    Kind("Spanish national id", re.compile(r"\b(?:\d{8}|[XYZ]\d{7})-?[A-Z]\b"), spanish_dni, _SOME, chance=_FULL),
    Kind("Finnish personal id", re.compile(r"\b\d{6}[-+A]\d{3}[0-9A-Y]\b"), finnish_hetu, _SOME, chance=_FULL),
    Kind("United States social security number", re.compile(_SSN), us_ssn, _SOME),
    Kind("German tax id", re.compile(r"(?<![\w.])\d{11}(?!\w)"), german_tax_id, 0.3, chance=_FULL),
    Kind("Polish PESEL", re.compile(r"(?<![\w.])\d{11}(?!\w)"), polish_pesel, 0.3, chance=_FULL),
    Kind("Dutch BSN", re.compile(r"(?<![\w.])\d{9}(?!\w)"), dutch_bsn, _FULL, chance=_FULL),
    Kind("IP address", re.compile(_IP), address, _SOME),
    Kind("phone number", re.compile(_PHONE), _phone, 0.3),
)
"""Kinds in the order in which they are tried: the first that fits names the column."""


def masked(text: str, length: int = 24) -> str:
    """Show the shape of a value and none of its content: letters become x or X, digits 9.

    Args:
        text: The value.
        length: Longest result; the rest is cut off.
    """
    shape = "".join(_shape(sign) for sign in text[:length])
    return shape + ("…" if len(text) > length else "")


def _shape(sign: str) -> str:
    if sign.isalpha():
        return "X" if sign.isupper() else "x"
    if sign.isdigit():
        return "9"
    return sign if sign in " .@+-_/:" else "*"


def _digits(text: str) -> list[int]:
    return [int(sign) for sign in text if sign in "0123456789"]


def _weighted(digits: list[int], weights: tuple[int, ...]) -> int:
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=True))
