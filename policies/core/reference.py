"""The page that lists every policy; beside it that of the frameworks.

`python -m mlstrata.policies.core.reference` writes both; with `--check` it only compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from mlstrata.policies.core.evaluate import day_of
from mlstrata.policies.core.papers import kinds, points
from mlstrata.policies.core.rule import Domain, Level, Rule
from mlstrata.policies.frameworks import matrix
from mlstrata.policies.rules import RULES

FILE = Path(__file__).parents[2] / "docs/policies.md"
FRAMEWORKS = FILE.with_name("frameworks.md")
TITLES = {
    Domain.AI_ACT: "EU AI Act",
    Domain.DATA: "Data",
    Domain.SECURITY: "Security",
    Domain.RELIABILITY: "Reliability",
    Domain.GPU_COST: "GPUs and costs",
    Domain.LIFECYCLE: "Lifecycle of models",
    Domain.OBSERVABILITY: "Observability",
}
HEAD = """# Every policy

Written by `python -m mlstrata.policies.core.reference` from the policies themselves; what they have in common is in
[policies/README.md](../policies/README.md). *Blocks* is when a violation stops a deployment: from the day that the duty
applies (with `enforce: now` today already; for products under Annex I alone 2028-08-02), or always; *advises* is never.
`-` is asked of the environment or of its resources, whosever they are. `R` mends by itself under Pulumi.
"""


PAPERS = """## Papers

What a paper that a system in production names must speak of: each point in a sentence, or as text beneath a heading of
that subject, in English, German, French, Spanish or Italian; in any language beneath a heading that begins with the
point's letter,
such as `## (a)`. A paper is UTF-8 text in the workspace; `technical_file` has the nine numbered sections of Annex IV.

| `documents` | must say |
|---|---|"""


def text() -> str:
    """Return the page."""
    return "\n".join([HEAD, *map(_section, TITLES), PAPERS, *_papers(), ""])


def _papers() -> Iterator[str]:
    for kind in kinds():
        name = "`memo` of `risk.exemption`" if kind == "memo" else f"`{kind}`"
        yield f"| {name} | {'; '.join(map(str, points(kind)))} |"


def _section(domain: Domain) -> str:
    rows = [_row(rule) for rule in RULES if rule.domain is domain]
    head = ["| policy | asks | of systems at | blocks | serves |", "|---|---|---|---|---|"]
    return "\n".join([f"## {TITLES[domain]}", "", *head, *rows, ""])


def _row(rule: Rule) -> str:
    tiers = " or ".join(rule.tiers) or "any tier" if rule.system else "-"
    mends = " R" if any(not remedy.options for remedy in rule.remedies) else ""
    cells = (f"{rule.number} `{rule.id}`{mends}", rule.title, tiers, _blocks(rule), "; ".join(rule.references))
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _blocks(rule: Rule) -> str:
    if rule.level is Level.ADVISORY:
        return "advises"
    since = f"from {day}" if (day := day_of(rule)) else "always"
    return f"{since}; advises below stage {rule.lowered_below}" if rule.lowered_below else since


def main(arguments: list[str]) -> int:
    """Write the pages; with `--check` return 1 where one is not up to date, 2 on wrong usage."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write(f"got {' '.join(arguments)}; allowed: python -m mlstrata.policies.core.reference [--check]\n")
        return 2
    pages = {FILE: text(), FRAMEWORKS: matrix.text()}
    stale = [file for file, page in pages.items() if not file.exists() or file.read_text(encoding="utf-8") != page]
    for file in stale:
        if arguments:
            sys.stderr.write(f"{file} is not up to date; run: python -m mlstrata.policies.core.reference\n")
        else:
            file.write_text(pages[file], encoding="utf-8")
    return int(bool(stale and arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
