"""The YAML files of a workspace's `policies/`: read whole, or refused with every mistake in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from mlstrata.environments.loading.document import Malformed, Node, parse, place, repetitions, to_data
from mlstrata.environments.loading.errors import SpecError
from mlstrata.environments.loading.translate import Finding, translate
from mlstrata.environments.redaction import path_of


class PolicyErrors(Exception):
    """What a workspace says about its policies is malformed; each message names file, line, value and fix."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages


@dataclass(frozen=True)
class PolicyFile:
    """A file that is YAML; what it holds may still be wrong.

    Attributes:
        file: The file, as messages show it.
        data: What it holds.
        messages: Keys that it gives twice, each with its line.
    """

    file: str
    data: Any
    messages: tuple[str, ...]
    _root: Node

    @classmethod
    def read(cls, path: Path, *, nothing: str) -> PolicyFile | None:
        """Read a file; None where there is none.

        Args:
            path: The file.
            nothing: What to write into a file that says nothing.

        Raises:
            PolicyErrors: It cannot be read, or is no YAML.
        """
        file = relative(path)
        try:
            root = parse(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise PolicyErrors([f"{file}: cannot be read ({error}); make it a readable UTF-8 file"]) from None
        except Malformed as error:
            fix = f"write `{nothing}`" if error.what == "the file is empty" else error.fix
            raise PolicyErrors([str(SpecError(file, *error.mark, "", error.what, fix=fix))]) from None
        twice = [str(SpecError(file, *one.mark, path_of(one.path), one.what, fix=one.fix)) for one in repetitions(root)]
        return cls(file, to_data(root), tuple(twice), root)

    def line(self, *path: str | int) -> int:
        """Return the line of what `path` leads to, counted from 1."""
        return place(self._root, path)[0]

    def unlike(self, model: type[BaseModel]) -> list[Finding]:
        """Return where the file does not have the form of `model`."""
        try:
            model.model_validate(self.data)
        except ValidationError as error:
            details = error.errors(include_url=False)
            return [one for detail in details for one in translate(detail, model, self.data)]
        return []

    def require(self, found: Iterable[Finding]) -> None:
        """Refuse the file where anything is wrong with it.

        Raises:
            PolicyErrors: A key is given twice, or there is a finding.
        """
        said = [*self.messages, *map(self._said, found)]
        if said:
            raise PolicyErrors(said)

    def _said(self, one: Finding) -> str:
        at = place(self._root, one.path)
        return str(SpecError(self.file, *at, path_of(one.path), one.problem, one.value, one.allowed, one.fix))


def relative(path: Path) -> str:
    """Return a file as messages show it: from the working folder, where it is beneath that."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
