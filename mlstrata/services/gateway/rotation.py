"""Which keys sign and are accepted, by number: no secret, so it lies in a file, and what it asks for `up` makes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator

from mlstrata.closed import Closed
from mlstrata.files import damaged, write_private

ROTATION_FILE = "data/gateway/keys.json"
"""From the environment's home."""


class RotationError(Exception):
    """Keys cannot be rotated or retired now; the message says why and what to do."""


class Rotation(Closed):
    """The keys numbered `oldest` to `newest` are accepted; `signing` signs.

    A new key is accepted before it signs, and an old one after it has: at no time is there a token in good faith
    that the gateway does not take.
    """

    oldest: int = Field(default=1, ge=1, description="The oldest key that is accepted.")
    signing: int = Field(default=1, ge=1, description="The key that signs.")
    newest: int = Field(default=1, ge=1, description="The newest key that is accepted.")
    good_until: Mapping[int, datetime] = Field(
        default={}, description="By key, when the last of the tokens that it signed ends."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.oldest <= self.signing <= self.newest:
            raise ValueError(f"got oldest {self.oldest}, signing {self.signing}, newest {self.newest}; in this order")
        return self

    @classmethod
    def read(cls, home: Path, file: str = ROTATION_FILE) -> Rotation:
        """Return what the file in `home` says; without one there is one key.

        Raises:
            RotationError: the file is not what `write` writes.
        """
        path = home / file
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return cls()
        except ValidationError as error:
            raise RotationError(damaged(path, "rotation", error)) from None

    def write(self, home: Path, file: str = ROTATION_FILE) -> None:
        """Write the file in `home`, whole or not at all."""
        write_private(home / file, self.model_dump_json(indent=2) + "\n")

    def signed(self, until: datetime) -> Rotation:
        """Note a token of the signing key that is good `until` then."""
        latest = max(until, self.good_until.get(self.signing, until))
        return self.model_copy(update={"good_until": {**self.good_until, self.signing: latest}})

    def begun(self) -> Rotation:
        """Ask for another key, accepted but not signing yet; one that was begun already stays the one."""
        if self.oldest < self.signing:
            raise RotationError(
                f"key {self.oldest} is still accepted beside key {self.signing}; "
                "retire it first: `mlstrata token ENV --retire`"
            )
        return self if self.newest > self.signing else self.model_copy(update={"newest": self.newest + 1})

    def switched(self) -> Rotation:
        """Have the newest key sign."""
        return self.model_copy(update={"signing": self.newest})

    def retired(self, now: datetime | None = None, *, at_once: bool = False) -> Rotation:
        """Accept the signing key alone.

        Raises:
            RotationError: there is no older key, or tokens of it are good still and it is not to be `at_once`.
        """
        older = range(self.oldest, self.signing)
        if not older:
            raise RotationError("no key waits to be retired; `mlstrata token ENV --rotate` replaces the one that signs")
        now = now or datetime.now(UTC)
        ends = [self.good_until[number] for number in older if number in self.good_until]
        if not at_once and ends and max(ends) > now:
            raise RotationError(
                f"tokens of the old key are good until {max(ends):%Y-%m-%d %H:%M} UTC; "
                "retire it after that, or now with --at-once, which ends them"
            )
        kept = {number: end for number, end in self.good_until.items() if number >= self.signing}
        return self.model_copy(update={"oldest": self.signing, "good_until": kept})
