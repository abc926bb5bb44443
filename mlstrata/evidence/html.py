"""A document as one HTML page: no scripts, nothing from elsewhere, its plots inside it."""

from __future__ import annotations

from html import escape

from mlstrata.evidence import svg
from mlstrata.evidence.blocks import Block, Document, Figure, Heading, Needed, Status, Table, Text, facts, visible
from mlstrata.evidence.language import say, spoken

_STYLE = """
:root{--ink:#1c2733;--grey:#5b6773;--line:#c9d0d7;--mark:#8a5a00;--paper:#fff}
*{box-sizing:border-box}
body{font:15px/1.55 "Segoe UI",Helvetica,Arial,sans-serif;color:var(--ink);background:#eef1f4;margin:0}
main{background:var(--paper);max-width:58rem;margin:2rem auto;padding:3.5rem 4rem;border:1px solid var(--line)}
header{border-bottom:3px solid var(--ink);padding-bottom:1.2rem;margin-bottom:1.6rem}
h1{font-size:1.75rem;line-height:1.25;margin:0 0 .4rem}
h2{font-size:1.3rem;margin:2.8rem 0 .8rem;padding-bottom:.3rem;border-bottom:1px solid var(--ink)}
h3{font-size:1.02rem;margin:1.8rem 0 .5rem}
p{margin:.5rem 0}
.subtitle,.note,caption,figcaption{color:var(--grey)}
.state{border:2px solid var(--mark);background:#fff8e6;padding:.7rem 1rem;margin:1rem 0;font-weight:600}
.state.whole{border-color:#2e6b3a;background:#eef7f0}
.needed{background:#fff8e6;border-inline-start:4px solid var(--mark);padding:.35rem .8rem;margin:.5rem 0}
.mark{font-size:.72em;font-weight:600;border-radius:.6em;padding:.05em .55em;margin-inline-end:.4em;white-space:nowrap}
.declared{background:#fdf0d5;color:#6b4600}.planned{background:#e3ecf9;color:#1d4177}
.observed{background:#dff1e4;color:#1d5430}
.needed b{text-transform:uppercase;font-size:.75em;letter-spacing:.04em;color:var(--mark)}
table{border-collapse:collapse;width:100%;table-layout:fixed;margin:.6rem 0 1.2rem;font-size:.9em}
caption{text-align:start;font-size:.95em;padding:0 0 .35rem}
td,th{border:1px solid var(--line);padding:.32rem .55rem;text-align:start;vertical-align:top;overflow-wrap:anywhere}
th{background:#eef1f4}tbody th{font-weight:600}
figure{margin:1rem 0 1.4rem}figure svg{width:100%;max-width:46rem;height:auto}figcaption{font-size:.9em}
nav ol{list-style:none;padding:0;columns:2;column-gap:2rem}nav li{margin:.15rem 0;break-inside:avoid}
a{color:#1f5f99}
@media(max-width:50rem){main{margin:0;padding:1.2rem;border:0}nav ol{columns:1}}
@media print{body{background:none;font-size:11px}main{border:0;margin:0;padding:0;max-width:none}
h2,h3{break-after:avoid}tr,figure,.needed{break-inside:avoid}a{color:inherit;text-decoration:none}}
@page{size:A4;margin:2cm}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render(document: Document) -> str:
    """Return the page; every text of it is escaped, and what cannot be seen is spelled out."""
    title = _safe(document.shown_title)
    numbers = _Numbers()
    contents = "".join(
        f'<li><a href="#s{index}">{_safe(section.title)}</a></li>' for index, section in enumerate(document.sections)
    )
    whole = " whole" if document.complete else ""
    lines = [
        f'<!DOCTYPE html>\n<html lang="{spoken()}">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">',
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>",
        f'<header>\n<h1 dir="auto">{title}</h1>\n<p class="subtitle" dir="auto">{_safe(document.subtitle)}</p>',
        f'<p class="state{whole}">{_safe(document.state)}</p>\n</header>',
    ]
    if document.control:
        lines.append(_table(facts(document.control, Status.NOTE), ""))
    if document.has_contents:
        lines.append(f'<nav aria-label="{_safe(say("Contents"))}"><ol>{contents}</ol></nav>')
    for index, section in enumerate(document.sections):
        lines.append(f'<section id="s{index}">\n<h2 dir="auto">{_safe(section.title)}</h2>')
        lines += [_block(block, numbers) for block in section.blocks]
        lines.append("</section>")
    return "\n".join([*lines, "</main>\n</body>\n</html>\n"])


class _Numbers:
    """Counts tables and figures."""

    def __init__(self) -> None:
        self._tables = self._figures = 0

    def table(self) -> str:
        self._tables += 1
        return say("Table {number}", number=self._tables)

    def figure(self) -> str:
        self._figures += 1
        return say("Figure {number}", number=self._figures)


def _block(block: Block, numbers: _Numbers) -> str:
    if isinstance(block, Text):
        kind = ' class="note"' if block.status is Status.NOTE else ""
        return f'<p{kind} dir="auto">{_mark(block.status)}{_safe(block.text)}</p>'
    if isinstance(block, Heading):
        return f'<h3 dir="auto">{_safe(block.text)}</h3>'
    if isinstance(block, Needed):
        return f'<p class="needed" dir="auto"><b>[{_safe(block.kind)}:</b> {_safe(block.asked)}<b>]</b></p>'
    if isinstance(block, Figure):
        said = f"{numbers.figure()}. {_safe(block.title)}"
        return f'<figure>{svg.render(block)}<figcaption dir="auto">{_mark(block.status)}{said}</figcaption></figure>'
    return _table(block, numbers.table() if block.caption else "")


def _table(block: Table, number: str) -> str:
    columns = "".join(f'<col style="width:{share:.1%}">' for share in block.shares)
    said = f"{_mark(block.status)}{number}. {_safe(block.caption)}"
    caption = f'<caption dir="auto">{said}</caption>' if block.caption else ""
    names = "".join(f'<th scope="col">{_safe(one)}</th>' for one in block.headings)
    head = f"<thead><tr>{names}</tr></thead>\n" if names else ""
    rows = "\n".join(f"<tr>{_cells(row, block)}</tr>" for row in block.rows)
    return f"<table>{caption}<colgroup>{columns}</colgroup>\n{head}<tbody>\n{rows}\n</tbody>\n</table>"


def _cells(row: tuple[str, ...], block: Table) -> str:
    cells = []
    for index, cell in enumerate(row):
        if index == block.files:
            names = cell.split(", ")
            cells.append("<td>" + ", ".join(f'<a href="{_safe(one)}">{_safe(one)}</a>' for one in names) + "</td>")
        elif index == 0 and not block.headings:
            cells.append(f'<th scope="row" dir="auto">{_safe(cell)}</th>')
        else:
            cells.append(f'<td dir="auto">{_safe(cell)}</td>')
    return "".join(cells)


def _mark(status: Status) -> str:
    return "" if status is Status.NOTE else f'<span class="mark {status}">{status.shown}</span>'


def _safe(text: str) -> str:
    return escape(visible(text))
