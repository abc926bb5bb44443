"""The passphrase that opens a stack's secrets, and where it is found."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from pulumi_embedded.errors import WrongPassphrase


@dataclass(frozen=True)
class Passphrase:
    """The passphrase of a stack; its repr shows nothing."""

    value: str = field(repr=False)

    @classmethod
    def from_environment(cls) -> Passphrase | None:
        """Read ``PULUMI_CONFIG_PASSPHRASE``, else the file named by ``PULUMI_CONFIG_PASSPHRASE_FILE``.

        Raises:
            WrongPassphrase: the named file cannot be read.
        """
        if (value := os.environ.get("PULUMI_CONFIG_PASSPHRASE")) is not None:
            return cls(value)
        name = os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
        return cls.from_file(Path(name)) if name else None

    @classmethod
    def from_file(cls, path: Path) -> Passphrase:
        """Read a file, without the newline at its end.

        Raises:
            WrongPassphrase: the file cannot be read.
        """
        try:
            return cls(path.read_text(encoding="utf-8").rstrip("\r\n"))
        except (OSError, UnicodeDecodeError) as error:
            message = f"{path}: the passphrase file cannot be read ({error}); name one that holds it"
            raise WrongPassphrase(message) from None
