"""The report of a verdict: one page of HTML with plots made here, a table beside each; it runs no script."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

from mlstrata.services.monitor.verdict import Bar, Finding, Verdict, Watch

TITLES = {
    Watch.INPUT_DRIFT: "Drift of inputs (population stability index)",
    Watch.OUTPUT_DRIFT: "Drift of answers (population stability index)",
    Watch.PERFORMANCE: "Performance where the truth is known",
    Watch.ESTIMATE: "Performance as estimated without the truth",
    Watch.FAIRNESS: "Differences between groups",
    Watch.SERVICE: "How it was answered, against what is promised",
    Watch.QUALITY: "Quality of inputs (shares)",
}
STATES = {
    "judged": "judged",
    "too_few": "too few rows for a verdict on drift",
    "catching_up": "catching up",
    "no_reference": "cannot be watched",
    "nothing_released": "nothing is released",
    "failed": "the round failed",
}
_WIDTH, _HEIGHT, _TOP = 560.0, 120.0, 8.0
_TRAINED, _SEEN = "#8a8f98", "#1f5fa8"
_ALERT = ' class="alert"'
_STYLE = """
body{font:16px/1.5 Helvetica,Arial,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}
th,td{border:1px solid #c8ccd1;padding:.25rem .6rem;text-align:left;font-variant-numeric:tabular-nums}
.alert{color:#8c1515;font-weight:bold}figure{margin:0 0 1.5rem}caption{text-align:left;padding:.25rem 0}
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
"""What the page may load: nothing but the style within it."""


def render(verdict: Verdict) -> str:
    """Return the page."""
    name = escape(verdict.system)
    parts = [f"<h1>{name}</h1>", _head(verdict)]
    for watch, title in TITLES.items():
        if found := verdict.of(watch):
            shown = found if watch is not Watch.QUALITY else tuple(one for one in found if one.value or one.alert)
            parts.append(f"<h2>{escape(title)}</h2>{_table(title, shown) if shown else '<p>Nothing was seen.</p>'}")
    if verdict.bars:
        parts.append("<h2>Columns: training beside the window</h2>")
        parts += [_column(bar) for bar in verdict.bars]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Monitor of {name}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def moment(seconds: float) -> str:
    """Write a time for people, UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _head(verdict: Verdict) -> str:
    alerts = verdict.alerts
    said = f"{len(alerts)} alert{'s' if len(alerts) != 1 else ''}" if alerts else "no alert"
    style = _ALERT if alerts else ""
    detail = f" {escape(verdict.detail)}." if verdict.detail else ""
    return (
        f"<p>Version {escape(verdict.version or 'none')}: {STATES[verdict.state]}, <strong{style}>{said}</strong>."
        f"{detail} {verdict.rows} rows of the last {verdict.window / 3600:g} hours, {verdict.truths} with their truth; "
        f"{moment(verdict.at)}.</p>"
    )


def _table(title: str, found: tuple[Finding, ...]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(one.of)}</th><td>{one.value:.4g}</td>'
        f"<td>{'not declared' if one.limit is None else f'{one.limit:.4g}'}</td><td>{one.rows}</td>"
        f"<td>{escape(one.sure)}</td><td{_ALERT if one.alert else ''}>{_said(one)}</td></tr>"
        for one in found
    )
    heads = "".join(f'<th scope="col">{one}</th>' for one in ("what", "value", "limit", "rows", "how sure", "verdict"))
    return f"<table><caption>{escape(title)}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _said(one: Finding) -> str:
    if not one.alert:
        return "no alert"
    return f"alert since {moment(one.since)}" if one.since is not None else "alert"


def _column(bar: Bar) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{trained:.1%}</td><td>{seen:.1%}</td></tr>'
        for name, trained, seen in zip(bar.bins, bar.trained, bar.seen, strict=True)
    )
    heads = "".join(f'<th scope="col">{one}</th>' for one in ("bin", "training", "window"))
    return (
        f"<h3>{escape(bar.column)}</h3><figure>{_plot(bar)}<figcaption>Grey: training. Blue: the window. "
        f"The table has the same figures.</figcaption></figure>"
        f"<table><caption>Shares of {escape(bar.column)}</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _plot(bar: Bar) -> str:
    highest = max([*bar.trained, *bar.seen, 1e-9])
    step, shapes = _WIDTH / max(1, len(bar.bins)), []
    for at, pair in enumerate(zip(bar.trained, bar.seen, strict=True)):
        for side, (share, colour) in enumerate(zip(pair, (_TRAINED, _SEEN), strict=True)):
            high = share / highest * (_HEIGHT - _TOP)
            x = at * step + step * (0.1 + 0.4 * side)
            shapes.append(
                f'<rect x="{x:.1f}" y="{_HEIGHT - high:.1f}" width="{step * 0.38:.1f}" height="{high:.1f}" '
                f'fill="{colour}"/>'
            )
    line = f'<line x1="0" y1="{_HEIGHT:g}" x2="{_WIDTH:g}" y2="{_HEIGHT:g}" stroke="#1b1f24"/>'
    title = escape(f"Shares of {bar.column} by bin: training beside the window")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {_HEIGHT + 1:g}" width="{_WIDTH:g}" '
        f'height="{_HEIGHT + 1:g}" role="img"><title>{title}</title>{"".join(shapes)}{line}</svg>'
    )
