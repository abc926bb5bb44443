"""`mlstrata assess`: from answers to risk tier, stage and an environment's file that validates."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlstrata.cli.console import err, say, say_json
from mlstrata.operations.assessment import judge, left_open, refused
from mlstrata.operations.errors import Failed, UsageError

if TYPE_CHECKING:
    from mlstrata.environments.assessment import Answers, Assessment, Question


def assess(*, answers: str | None, template: bool, output: str | None, as_json: bool) -> None:
    """Ask, or read answers from a file, and say what they lead to; or write a file of answers to fill in.

    Raises:
        UsageError: nobody can be asked, or the file to write cannot be.
        SpecErrors: the file of answers cannot be used.
        Failed: the system is one that nobody may deploy.
    """
    if template:
        _template(output, as_json=as_json)
        return
    target = None if output is None else _fresh(output)
    given = _given(answers, target)
    result = judge(given)
    if target is not None and result.yaml is not None:
        _write(target, _fitting(target, given, result.yaml))
    if as_json:
        written = None if target is None or result.yaml is None else str(target)
        say_json(result.document() | {"file": written, "refused": refused(result)})
    else:
        _show(result, target)
    if result.yaml is None:
        raise Failed(f"{given['system']} may not be deployed: {' '.join(result.judged.reasons)}")


def _template(output: str | None, *, as_json: bool) -> None:
    from mlstrata.environments.assessment import template

    text = template()
    if output is not None:
        _write(_fresh(output), text)
    if as_json:
        say_json({"template": text, "file": output})
    elif output is None:
        sys.stdout.write(text)
    else:
        say(f" wrote {output}; fill it in, then: mlstrata assess --answers {output}")


def _given(answers: str | None, target: Path | None) -> Answers:
    from mlstrata.environments.assessment import complete, read_answers

    # A file's name and its environment's are one: where the answers name none, the file does.
    named = {} if target is None else {"environment": target.stem}
    if answers is not None:
        return read_answers(Path(answers), named)
    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask on: write answers with `mlstrata assess --template -o answers.yaml`, "
            "then `mlstrata assess --answers answers.yaml`"
        )
    return complete(_asked(named))


def _asked(named: dict[str, str]) -> dict[str, object]:
    """Ask every question on the terminal, again until the answer is allowed."""
    from mlstrata.environments.assessment import QUESTIONS

    given: dict[str, object] = dict(named)
    for question in QUESTIONS:
        if question.id not in given:
            given[question.id] = _ask(question)
        if question.id == "practice" and given["practice"] != "none":
            # Nothing that is asked after it can change the outcome.
            given |= {"annex_iii": "none", "annex_i": "no", "profiling": "no", "contact": "no"}
            break
    return given


def _ask(question: Question) -> object:
    import typer

    from mlstrata.environments.assessment.kinds import BadAnswer

    console = err()
    console.print()
    console.print(question.text, style="bold", markup=False)
    for value, told in question.options:
        console.print(f"  {value:<26} {told}", markup=False)
    default = question.default
    shown = ", ".join(default) if isinstance(default, tuple) else default
    while True:
        typed = typer.prompt(question.id, default=shown, err=True, prompt_suffix=": ", type=str)
        try:
            return question.check(question.parse(str(typed).strip()))
        except BadAnswer as error:
            console.print(f"  {error}", style="yellow", markup=False)


def _fresh(output: str) -> Path:
    """Return the file to write.

    Raises:
        UsageError: it is there already.
    """
    path = Path(output)
    if path.exists():
        raise UsageError(f"{output}: exists; remove it, or name another file with -o")
    return path


def _fitting(path: Path, answers: Answers, text: str) -> str:
    """Return the text for a file whose name must be the environment's.

    Raises:
        UsageError: it is not.
    """
    name = answers["environment"]
    if path.name != f"{name}.yaml":
        raise UsageError(
            f"{path}: the file of environment '{name}' is {name}.yaml; write -o {path.with_name(name)}.yaml"
        )
    return text


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); name another file with -o") from None


def _show(result: Assessment, target: Path | None) -> None:
    say(f" {result.answers['system']}  risk tier {result.judged.tier}", style="bold")
    for reason in result.judged.reasons:
        say(f"   {reason}")
    if result.stage is None or result.yaml is None:
        return
    say()
    say(f" {result.answers['environment']}  stage {result.stage}", style="bold")
    for one in sorted(result.wanted, key=lambda one: one.stage.rank if one.stage else -1, reverse=True):
        say(f"   {one.capability:<22} {one.stage or 'switched on':<14} {one.because}: {one.answer}. {one.why}")
    for note in (*result.notes, *_left_out(result), *left_open(result)):
        say(f" note: {note}", style="yellow")
    if result.answers.assumed:
        say(f" assumed, as not answered: {', '.join(result.answers.assumed)}")
    say()
    if target is None:
        sys.stdout.write(result.yaml)
    else:
        say(f" wrote {target}; then: mlstrata validate {target.stem}")
    say()
    say(" This orders what was answered; whether it is lawful, a lawyer says.")


def _left_out(result: Assessment) -> list[str]:
    """Name what the file switches off, as its target does not have it."""
    target, names = result.answers["target"], ", ".join(result.left_out)
    return [f"switched off, as target {target} does not have it yet: {names}"] if names else []
