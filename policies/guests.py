"""Policies from elsewhere, loaded beside those of the catalogue: a workspace's `policies/*.py`, and entry points.

A file or the module of an entry point (group `mlstrata.policies`) holds `Rule`s, by themselves or in a list, each with
its fixtures. They are tried when the rules are loaded: a rule that cannot find the fault it is for is refused.
"""

from __future__ import annotations

import ast
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import wraps
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from mlstrata.policies.core.catalogue import CATALOGUE
from mlstrata.policies.core.files import PolicyErrors, relative
from mlstrata.policies.core.rule import Outcome, Rule, Verdicts
from mlstrata.policies.core.values import UnknownValueError

GROUP = "mlstrata.policies"
OURS = Path(__file__).parent
_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TOLD = (UnknownValueError, AttributeError, TypeError, ValueError, KeyError)
"""What a check may raise over a value that is not known, or not shaped as its kind is; evaluation says so itself."""


class _Raised(PolicyErrors):
    """A guest's check ended in an error.

    Attributes:
        what: The error.
    """

    def __init__(self, place: str, what: str) -> None:
        super().__init__([f"{place} {what}"])
        self.what = what


@dataclass(frozen=True)
class _Source:
    """Where rules come from.

    Attributes:
        shown: The file or entry point, as messages show it.
        module: What was loaded.
        file: Its file, to find lines in; None where it has none.
    """

    shown: str
    module: ModuleType
    file: Path | None

    def at(self, rule: str) -> str:
        """Return the place of a rule: the line that its id is in."""
        lines = ast.walk(ast.parse(self.file.read_text(encoding="utf-8"))) if self.file else ()
        found = [one.lineno for one in lines if isinstance(one, ast.Constant) and one.value == rule]
        return f"{self.shown}:{found[0]}" if found else self.shown


def guest_rules(folder: Path) -> tuple[Rule, ...]:
    """Return the policies of a workspace's folder and of installed packages, after their fixtures have been tried.

    Args:
        folder: The workspace's `policies/`; files that start with `_` or `test_` are left alone, and so are our own.

    Raises:
        PolicyErrors: A file cannot be loaded or holds no rule; a rule has an id that is taken, lacks a fixture that it
            fails or one that it passes, or contradicts a fixture.
    """
    messages: list[str] = []
    found: dict[str, Rule] = {}
    for source in _sources(folder, messages):
        rules = list(_rules_in(vars(source.module).values()))
        if not rules:
            messages.append(f"{source.shown}: holds no Rule; define one, or start the file's name with `_`")
        for rule in rules:
            place = f"{source.at(rule.id)}: rule '{rule.id}'"
            own = _placed(rule, place)
            if problem := _taken(rule, found) or _untried(own):
                messages.append(f"{place} {problem}")
            found[rule.id] = own
    if messages:
        raise PolicyErrors(messages)
    return tuple(found.values())


def _sources(folder: Path, messages: list[str]) -> Iterator[_Source]:
    files = [] if folder.resolve() == OURS else sorted(folder.glob("*.py"))
    for file in files:
        if file.name.startswith(("_", "test_")):
            continue
        try:
            module = _executed(file)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a guest's file raises, the reader is told where
            messages.append(_broken(relative(file), file, error))
            continue
        yield _Source(relative(file), module, file)
    for point in entry_points(group=GROUP):
        shown = f"entry point {point.name} = {point.value}"
        try:
            loaded = point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
            messages.append(_broken(shown, None, error))
            continue
        module = loaded if isinstance(loaded, ModuleType) else _holding(loaded)
        own = getattr(module, "__file__", None)
        yield _Source(shown if own is None else str(own), module, Path(own) if own else None)


def _holding(loaded: object) -> ModuleType:
    module = ModuleType("entry_point")
    module.__dict__["RULES"] = loaded
    return module


def _executed(file: Path) -> ModuleType:
    """Run a file as a module; nothing is written beside it."""
    module = ModuleType(f"{GROUP}.of_workspace.{file.stem}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    exec(compile(file.read_bytes(), str(file), "exec"), module.__dict__)  # noqa: S102 - the workspace's own code
    return module


def _broken(shown: str, file: Path | None, error: BaseException) -> str:
    line = error.lineno if isinstance(error, SyntaxError) else _line(error, file)
    at = f"{shown}:{line}" if line else shown
    return f"{at}: cannot be loaded: {type(error).__name__}: {getattr(error, 'msg', None) or error}"


def _line(error: BaseException, file: Path | None) -> int | None:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return lines[-1] if lines else None


def _rules_in(values: Iterable[Any]) -> Iterator[Rule]:
    """Yield the rules among values and in lists of them, each once."""
    seen: set[int] = set()
    for value in values:
        for one in value if isinstance(value, list | tuple | frozenset | set) else [value]:
            if isinstance(one, Rule) and id(one) not in seen:
                seen.add(id(one))
                yield one


def _taken(rule: Rule, found: dict[str, Rule]) -> str:
    if not _ID.fullmatch(rule.id):
        return "has a malformed id; allowed lower-case words joined by `-`, such as `org-cost-centre`"
    if rule.id in CATALOGUE:
        return "has the id of a policy of the catalogue; give it one of its own"
    return "is defined twice; give one of the two another id" if rule.id in found else ""


def _untried(rule: Rule) -> str:
    """Return what is wrong with a rule's fixtures; empty where each says what it expects."""
    from mlstrata.policies.fixtures.trial import disagreement  # fixtures are loaded for guests alone

    for outcome, word, example in ((Outcome.FAIL, "fails", "violates"), (Outcome.PASS, "passes", "passes")):
        if not any(case.outcome is outcome for case in rule.cases):
            return f'has no fixture that it {word}; add {example}("…", …) to its cases'
    try:
        return next((problem for case in rule.cases if (problem := disagreement(rule, case))), "")
    except _Raised as error:
        return error.what


def _placed(rule: Rule, place: str) -> Rule:
    """Return a rule whose mistakes say where it is written."""

    def guarded(check: Callable[..., Verdicts] | None) -> Callable[..., Verdicts] | None:
        if check is None:
            return None

        @wraps(check)
        def judged(*subject: Any) -> Verdicts:
            try:
                yield from check(*subject)
            except _TOLD:
                raise
            except Exception as error:
                raise _Raised(place, f"raised {type(error).__name__}: {error}") from error

        return judged

    return replace(
        rule,
        system=guarded(rule.system),
        resource=guarded(rule.resource),
        environment=guarded(rule.environment),
    )
