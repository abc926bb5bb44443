"""`python -m mlstrata.environments schema|docs`: write what is generated from the models; `--check` only compares."""

from __future__ import annotations

import sys

from mlstrata.environments import docs, schema


def main(arguments: list[str]) -> int:
    """Write, or with `--check` compare, the generated file.

    Returns:
        0 when the file is up to date now, 1 when `--check` finds that it is not, 2 on wrong usage.
    """
    checks = "--check" in arguments
    names = [argument for argument in arguments if argument != "--check"]
    if names not in (["schema"], ["docs"]):
        sys.stderr.write(
            f"got {' '.join(arguments) or 'nothing'}; allowed: python -m mlstrata.environments schema|docs [--check]\n"
        )
        return 2
    file = schema.FILE if names == ["schema"] else docs.FILE
    current = file.read_text(encoding="utf-8") if file.exists() else ""
    wanted = schema.text() if names == ["schema"] else docs.text(current)
    if current == wanted:
        return 0
    if checks:
        sys.stderr.write(f"{file} is not up to date; run: python -m mlstrata.environments {names[0]}\n")
        return 1
    file.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
