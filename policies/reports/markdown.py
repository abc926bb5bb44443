"""GitHub markdown, for the comment on a pull request."""

from __future__ import annotations

from mlstrata.policies.core.evaluate import Report, Result
from mlstrata.policies.core.rule import NEEDS_LIVE, Outcome
from mlstrata.policies.frameworks import line
from mlstrata.policies.reports.places import Places
from mlstrata.policies.reports.text import heading, summary

_MARKUP = {ord(one): f"&#{ord(one)};" for one in "&\\`*_{}[]<>|#@"} | {ord("\n"): " "}


def render(reports: list[tuple[Report, Places]]) -> str:
    """Return the reports as one comment."""
    return "\n".join(_one(report, places) for report, places in reports)


def _one(report: Report, places: Places) -> str:
    mark = "✅" if report.passed else "❌"
    lines = [f"### {mark} {_safe(heading(report))}", "", _safe(summary(report)), ""]
    lines += [f"- {_safe(line(pack, report.worst))}" for pack in report.frameworks]
    lines += [""] * bool(report.frameworks)
    blocking = [result for result in report.results if result.blocking]
    warning = [result for result in report.results if result.warning]
    lines += _table("Blocks", blocking, places) + _table("Warns", warning, places)
    lines += [f"- ❌ {_safe(error)}" for error in report.errors]
    lines += [f"- ⚠️ {_safe(warning)}" for warning in report.warnings]
    exempt = [result for result in report.results if result.outcome is Outcome.EXEMPT and result.exemption]
    if exempt:
        lines += ["<details><summary>Exempt</summary>", ""]
        lines += [f"- `{one.rule.id}` {_safe(one.subject)}: {_safe(str(one.exemption))}" for one in exempt]
        lines += ["", "</details>", ""]
    unsure = [result for result in report.results if result.outcome is Outcome.UNKNOWN]
    if unsure:
        lines += ["<details><summary>Not known</summary>", ""]
        lines += [f"- `{one.rule.id}` {_safe(one.subject)}: {_safe(_shown(one))}" for one in unsure]
        lines += ["", "</details>", ""]
    return "\n".join(lines) + "\n"


def _table(title: str, results: list[Result], places: Places) -> list[str]:
    if not results:
        return []
    rows = [f"**{title}**", "", "| policy | what | where | why | fix |", "|---|---|---|---|---|"]
    for one in results:
        why = f"{one.reason} ({one.when})" if one.when else one.reason
        where = str(places.of(one))
        cells = (f"`{one.rule.id}`", _safe(one.subject), f"`{where}`" if where else "", _safe(why), _safe(one.fix))
        rows.append(f"| {' | '.join(cells)} |")
    return [*rows, ""]


def _shown(result: Result) -> str:
    return result.reason.removeprefix(f"{NEEDS_LIVE}: ")


def _safe(text: str) -> str:
    """Keep names from a file from being markup."""
    return text.translate(_MARKUP)
