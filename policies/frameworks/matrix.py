"""The page of the frameworks: each with its duties, and which policy serves which of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlstrata.policies.frameworks import OURS, Pack, packs
from mlstrata.policies.rules import IDS, RULES

HEAD = """# Frameworks

Written by `python -m mlstrata.policies.core.reference` from the tables in `policies/frameworks/`, one a framework, each
with the version of its text. A framework adds no check: it says which policies serve a duty, since when it holds,
and what only people can show. An environment names those that count:

```yaml
frameworks: [eu-ai-act, gdpr, iso-42001]
```

`mlstrata check` then says of each how many duties are served, fail, are exempt, unknown, or for people; `--json` lists
them. A duty is served where every policy that serves it passes or asks nothing; it fails where one fails. Served is not
fulfilled: a policy proves that something is there, consistent and recent. A file in the workspace's
`policies/frameworks/NAME.yaml` of the same form is a framework of your own, over policies of your own too.
"""


def shipped() -> tuple[Pack, ...]:
    """Return the frameworks that come with the product, by their ids."""
    return packs(None, sorted(file.stem for file in OURS.glob("*.yaml")), IDS)


def text() -> str:
    """Return the page."""
    found = shipped()
    return "\n".join([HEAD, *map(_section, found), *_matrix(found)])


def _section(pack: Pack) -> str:
    people = sum(not duty.rules for duty in pack.duties)
    lines = [
        f"## {pack.title}",
        "",
        f"`{pack.id}`, version {pack.version}: {len(pack.duties)} duties, {people} for people alone. {pack.source}.",
        "",
        "| duty | asks | since | policies | only people show |",
        "|---|---|---|---|---|",
    ]
    for duty in pack.duties:
        rules = ", ".join(f"`{rule}`" for rule in duty.rules) or "-"
        lines.append(f"| {duty.of} | {duty.asks} | {duty.since} | {rules} | {duty.people or '-'} |")
    return "\n".join([*lines, ""])


def _matrix(found: Sequence[Pack]) -> Iterator[str]:
    yield "## Which policy serves what"
    yield ""
    yield f"| policy | {' | '.join(pack.id for pack in found)} |"
    yield f"|{'---|' * (len(found) + 1)}"
    for rule in RULES:
        served = ("; ".join(duty.of for duty in pack.duties if rule.id in duty.rules) or "-" for pack in found)
        yield f"| `{rule.id}` | {' | '.join(served)} |"
    yield ""
