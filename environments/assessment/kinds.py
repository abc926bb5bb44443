"""What a question is made of, and how an answer to it is checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mlstrata.environments.redaction import shown
from mlstrata.environments.spec.base import suggestion
from mlstrata.environments.stages import Capability

NONE = "none"
"""The answer that says that a free text is not given."""


class BadAnswer(Exception):
    """An answer is not among the allowed ones; the message says which are."""


@dataclass(frozen=True)
class Choice:
    """An answer that may be chosen.

    Attributes:
        value: How it is written.
        means: What it says, for people.
        capabilities: What the platform must be able to do if it is chosen.
        why: Why it asks for them; "" where it asks for none.
    """

    value: str
    means: str
    capabilities: tuple[Capability, ...] = ()
    why: str = ""

    @property
    def told(self) -> str:
        """Return what it says and the capabilities that it switches on."""
        return self.means + (f" [switches on {', '.join(self.capabilities)}]" if self.capabilities else "")


@dataclass(frozen=True)
class Question:
    """A question of the questionnaire.

    Attributes:
        id: Its name in the file of answers.
        part: `system` or `platform`.
        text: The question.
        default: What is taken where it is not answered; None: it must be answered.
    """

    id: str
    part: str
    text: str
    default: Any

    def check(self, value: object) -> Any:
        """Return the answer as it is used.

        Raises:
            BadAnswer: It is not allowed.
        """
        raise NotImplementedError

    @property
    def allowed(self) -> str:
        """Say which answers are allowed."""
        raise NotImplementedError

    def parse(self, text: str) -> object:
        """Return what somebody typed as the value that a file would hold."""
        return text

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """Return the answers that are worth telling apart: how each is written, and what it means and switches on."""
        return ()

    def wanted(self, _value: Any) -> tuple[tuple[Capability, ...], str]:
        """Return the capabilities that an answer switches on, and why."""
        return (), ""


@dataclass(frozen=True)
class OneOf(Question):
    """One of some answers."""

    choices: tuple[Choice, ...] = ()

    @property
    def allowed(self) -> str:
        """Say which answers are allowed."""
        return ", ".join(choice.value for choice in self.choices)

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """Return every choice."""
        return tuple((choice.value, choice.told) for choice in self.choices)

    def check(self, value: object) -> str:
        """Return the answer; YAML's yes, no and bare numbers are taken as they were written."""
        text = _word(value)
        if text not in {choice.value for choice in self.choices}:
            near = suggestion(text, [choice.value for choice in self.choices]) if isinstance(value, str) else ""
            raise BadAnswer(f"got {shown(value)}; allowed {self.allowed}" + (f"; {near}" if near else ""))
        return text

    def choice(self, value: str) -> Choice:
        """Return the choice of that value."""
        return next(choice for choice in self.choices if choice.value == value)

    def wanted(self, value: str) -> tuple[tuple[Capability, ...], str]:
        """Return the capabilities that the answer switches on, and why."""
        choice = self.choice(value)
        return choice.capabilities, choice.why


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, str | int) else ""


@dataclass(frozen=True)
class Some(OneOf):
    """Any of some answers, as a list."""

    @property
    def allowed(self) -> str:
        """Say which answers are allowed."""
        return f"a list of any of {super().allowed}"

    def parse(self, text: str) -> object:
        """Return the words between commas."""
        return [word for part in text.strip("[]").split(",") if (word := part.strip())]

    def check(self, value: object) -> tuple[str, ...]:  # type: ignore[override]
        """Return the answers, each once."""
        if not isinstance(value, list | tuple):
            raise BadAnswer(f"got {shown(value)}; allowed {self.allowed}, such as [{self.choices[0].value}]")
        known = {choice.value for choice in self.choices}
        for one in value:
            if _word(one) not in known:
                raise BadAnswer(f"got {shown(one)} in the list; allowed {self.allowed}")
        return tuple(dict.fromkeys(_word(one) for one in value))

    def wanted(self, value: tuple[str, ...]) -> tuple[tuple[Capability, ...], str]:  # type: ignore[override]
        """Return the capabilities that the answers switch on, and why."""
        chosen = [self.choice(one) for one in value]
        capabilities = dict.fromkeys(capability for choice in chosen for capability in choice.capabilities)
        return tuple(capabilities), " ".join(choice.why for choice in chosen if choice.why)


@dataclass(frozen=True)
class HowMany(Question):
    """A whole number.

    Attributes:
        least: The smallest allowed.
        most: The largest allowed.
        above: From how many on it asks for which capabilities, and why.
    """

    least: int = 1
    most: int = 10_000
    above: tuple[tuple[int, tuple[Capability, ...], str], ...] = ()

    @property
    def allowed(self) -> str:
        """Say which answers are allowed."""
        return f"a whole number from {self.least} to {self.most}"

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """Return the numbers from which on more is asked for."""
        return tuple(
            (f"{least} or more", f"{why} [switches on {', '.join(capabilities)}]")
            for least, capabilities, why in self.above
        )

    def parse(self, text: str) -> object:
        """Return the number that was typed, or the text where it is none."""
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else text  # noqa: PLR2004 - int32

    def check(self, value: object) -> int:
        """Return the number."""
        if type(value) is not int or not self.least <= value <= self.most:
            raise BadAnswer(f"got {shown(value)}; allowed {self.allowed}")
        return value

    def wanted(self, value: int) -> tuple[tuple[Capability, ...], str]:
        """Return the capabilities that so many ask for, and why."""
        reached = [(capabilities, why) for least, capabilities, why in self.above if value >= least]
        capabilities = dict.fromkeys(capability for some, _ in reached for capability in some)
        return tuple(capabilities), " ".join(why for _, why in reached)


@dataclass(frozen=True)
class Words(Question):
    """A text of the environment's own kinds: a name, an address, a sentence.

    Attributes:
        kind: The type that the environment's file gives it.
        example: One that is allowed.
    """

    kind: Any = str
    example: str = ""
    _adapters: dict[str, TypeAdapter[Any]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def allowed(self) -> str:
        """Say which answers are allowed."""
        return f"such as {self.example}" + ("" if self.default is None or self.default != NONE else f", or {NONE}")

    def check(self, value: object) -> str:
        """Return the text."""
        if value == NONE and self.default == NONE:
            return NONE
        adapter = self._adapters.setdefault("", TypeAdapter(self.kind))
        try:
            text: str = adapter.validate_python(value)
        except ValidationError as error:
            said = error.errors()[0]
            allowed = (said.get("ctx") or {}).get("allowed") or said["msg"]
            raise BadAnswer(f"got {shown(value)}; allowed {allowed}, {self.allowed}") from None
        return text
