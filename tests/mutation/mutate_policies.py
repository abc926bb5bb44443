"""Breaks the condition of every policy, one place at a time, and counts how often the fixtures notice.

`.venv/bin/python tests/mutation/mutate_policies.py [MODULE]...` prints each survivor and the score. It looks into the
check functions and public constants of `policies/rules/`, and into the functions that they share (`SHARED`); messages
and fixes stay as they are.
"""

import ast
import copy
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlstrata.policies import rules
from mlstrata.policies.core.dates import Calendar
from mlstrata.policies.core.discovery import modules
from mlstrata.policies.core.evaluate import ODD_SHAPE, evaluate
from mlstrata.policies.core.rule import Outcome
from mlstrata.policies.fixtures.by_policy import cases_of
from mlstrata.policies.fixtures.compliant_world import TODAY, compliant
from mlstrata.policies.views import iam, kubernetes, retention, serving, stores

RULES_FOLDER = Path(__file__).parents[2] / "policies" / "rules"
SHARED = (iam, kubernetes, retention, serving, stores)
"""What rules decide with, beside what is in their own modules."""
MODULES = list(modules(rules))
SAYING = {"fails", "live", "undeployed", "unknown", "not_applicable"}
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def mutants(tree: ast.Module) -> Iterator[tuple[str, ast.Module]]:
    """Yield each mutant with a description; the tree itself is as before after each."""
    for function in [node for node in tree.body if _mutable(node)]:
        for node in _judging(function):
            yield from _of(node, tree)


def _mutable(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef):
        return True
    names = [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
    return any(name.isupper() and not name.startswith("_") and name != "RULES" for name in names)


def _judging(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that decide: not annotations, docstrings, messages or what is said."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAYING:
        return
    if isinstance(node, ast.JoinedStr | ast.arguments):
        return
    yield node
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "decorator_list"}:
            continue
        children = value if isinstance(value, list) else [value]
        for at, child in enumerate(children):
            docstring = (
                field == "body" and at == 0 and isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            )
            if isinstance(child, ast.AST) and not docstring:
                yield from _judging(child)


def _of(node: ast.AST, tree: ast.Module) -> Iterator[tuple[str, ast.Module]]:
    where = f"line {getattr(node, 'lineno', 0)}"
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            if swap := SWAPS.get(type(operator)):
                node.ops[at] = swap()  # type: ignore[call-overload]
                yield f"{where}: {type(operator).__name__} -> {swap.__name__}", tree
                node.ops[at] = operator
    elif isinstance(node, ast.BoolOp):
        old, node.op = node.op, SWAPS[type(node.op)]()  # type: ignore[assignment]
        yield f"{where}: {type(old).__name__} -> {type(node.op).__name__}", tree
        node.op = old
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        old_operand, old_op = node.operand, node.op
        node.operand = ast.UnaryOp(ast.Not(), old_operand)
        yield f"{where}: not dropped", ast.fix_missing_locations(tree)
        node.operand, node.op = old_operand, old_op
    elif isinstance(node, ast.If):
        for value in (True, False):
            old_test, node.test = node.test, ast.Constant(value)
            yield f"{where}: if {value}", ast.fix_missing_locations(tree)
            node.test = old_test
    elif isinstance(node, ast.Constant):
        old_value = node.value
        for new in _other(old_value):
            node.value = new
            yield f"{where}: {old_value!r} -> {new!r}", tree
        node.value = old_value


def _other(value: object) -> list[object]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1]
    if isinstance(value, float):
        return [value * 2 + 1]
    if isinstance(value, str) and value and (" " not in value or "|" in value):  # with spaces it is a message
        return [f"{value}-mutated"]
    return []


def survives(module: types.ModuleType) -> bool:
    """Return whether every fixture of a module's rules still says what it expects."""
    ids = {rule.id for rule in module.RULES}
    if any(result.outcome is Outcome.FAIL for result in _report(module, ()).results):
        return False
    for rule in module.RULES:
        for case in cases_of(rule):
            report = _report(module, case.edits)
            own = [result for result in report.results if result.rule is rule]
            if any(ODD_SHAPE in result.reason for result in own):
                return False
            if case.outcome is Outcome.UNKNOWN:
                if not any(result.undetermined or result.outcome is Outcome.UNKNOWN for result in own):
                    return False
                continue
            if report.worst[rule.id] is not case.outcome or any(result.undetermined for result in own):
                return False
            failing = {result.rule.id for result in report.results if result.outcome is Outcome.FAIL}
            expected = (set(case.companions) | ({rule.id} if case.outcome is Outcome.FAIL else set())) & ids
            if "*" not in case.companions and failing != expected:
                return False
    return True


def _report(module, edits):
    world = compliant()
    for edit in edits:
        edit(world)
    calendar = Calendar.on(TODAY, world.environment.enforcement)
    return evaluate(world.resources.values(), world.environment, calendar, rules=module.RULES)


def _run(tree: ast.Module, path: Path) -> bool:
    module = types.ModuleType(f"mutated_{path.stem}")
    try:
        exec(compile(tree, str(path), "exec"), module.__dict__)  # noqa: S102 - our own source, mutated
        return survives(module)
    except Exception:  # noqa: BLE001 - a mutant that breaks is noticed
        return False


def _shared(path: Path, module: types.ModuleType, uses: Iterable[types.ModuleType]) -> Iterator[tuple[str, bool]]:
    """Yield each mutant of a shared function with whether it survives; rules call it with its code changed."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function in [node for node in tree.body if isinstance(node, ast.FunctionDef)]:
        target = getattr(module, function.name)
        original = target.__code__
        for node in _judging(function):
            for description, mutant in _of(node, tree):
                scope: dict[str, object] = {"__name__": module.__name__}
                exec(compile(mutant, str(path), "exec"), scope)  # noqa: S102 - our own source, mutated
                target.__code__ = scope[function.name].__code__  # type: ignore[attr-defined]
                try:
                    survived = all(map(_withstands, uses))
                finally:
                    target.__code__ = original
                yield description, survived


def _withstands(module: types.ModuleType) -> bool:
    try:
        return survives(module)
    except Exception:  # noqa: BLE001 - a mutant that breaks is noticed
        return False


def _rules(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each mutant of a module of rules with whether it survives."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert _run(copy.deepcopy(tree), path), f"{path.name}: its fixtures fail before any mutation"
    for description, mutant in mutants(tree):
        yield description, _run(mutant, path)


def main(names: list[str]) -> int:
    """Print survivors and score; return 1 below 90 %."""
    found = {path: _rules(path) for path in sorted(RULES_FOLDER.rglob("[a-z]*.py"))}
    for module in SHARED:
        path = Path(str(module.__file__))
        own = f"from {module.__name__} import"
        # Those that import it first: they notice soonest.
        uses = sorted(MODULES, key=lambda one: own not in Path(str(one.__file__)).read_text(encoding="utf-8"))
        found[path] = _shared(path, module, uses)
    killed = total = 0
    for path, tried in found.items():
        for description, survived in tried if not names or path.stem in names else ():
            total, killed = total + 1, killed + (not survived)
            if survived:
                print(f"survives  {path.name} {description}")
    print(f"{killed} of {total} mutants noticed: {killed / max(total, 1):.1%}")
    return 0 if killed >= 0.9 * total else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
