"""Real English texts that every machine with the tests has: what pandas and scikit-learn say of their functions."""

import ast
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

LONGEST = 160


def described() -> pd.DataFrame:
    """Return a row a documented function: its text, whose it is, whether it is a private one, and the lines it has."""
    rows = []
    for package, places in {"pandas": ("core", "io"), "sklearn": ("linear_model", "metrics", "preprocessing")}.items():
        root = Path(str(find_spec(package).origin)).parent
        for file in sorted(one for place in places for one in (root / place).glob("*.py")):
            rows += _functions(file, package)
    return pd.DataFrame(rows).drop_duplicates("text", ignore_index=True)


def _functions(file: Path, package: str) -> list[dict[str, object]]:
    tree, found = ast.parse(file.read_text(encoding="utf-8")), []
    for one in ast.walk(tree):
        if not isinstance(one, ast.FunctionDef | ast.ClassDef) or not (text := ast.get_docstring(one)):
            continue
        said = " ".join(text.split())[:LONGEST]
        lines = (one.end_lineno or one.lineno) - one.lineno
        found.append({"text": said, "of": package, "hidden": one.name.startswith("_"), "lines": lines})
    return found
