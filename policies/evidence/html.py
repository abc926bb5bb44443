"""A document as one HTML page without scripts or addresses elsewhere."""

from __future__ import annotations

from html import escape

from policies.evidence.blocks import Block, Document, Figure, Needed, Table, Text

_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;width:100%;table-layout:fixed}"
    "td,th{border:1px solid #999;padding:.3em .5em;text-align:start;vertical-align:top;overflow-wrap:anywhere}"
    ".needed{background:#fff3cd;padding:.3em .5em;border-inline-start:4px solid #b58100}img{max-width:100%}"
)
_POLICY = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'"


def render(document: Document) -> str:
    """Return the page; every text of it is escaped."""
    title = escape(document.shown_title)
    lines = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">',
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
        f'<h1 dir="auto">{title}</h1>\n<p dir="auto">{escape(document.subtitle)}</p>',
    ]
    for section in document.sections:
        lines.append(f"<h2>{escape(section.title)}</h2>")
        lines += [_block(block) for block in section.blocks]
    return "\n".join([*lines, "</body>\n</html>\n"])


def _block(block: Block) -> str:
    if isinstance(block, Text):
        return f'<p dir="auto">{escape(block.text)}</p>'
    if isinstance(block, Needed):
        return f'<p class="needed" dir="auto">{escape(block.said)}</p>'
    if isinstance(block, Figure):
        return f'<p><img src="plots/{escape(block.name)}.svg" alt="{escape(block.title)}"></p>'
    return _table(block)


def _table(block: Table) -> str:
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in block.headings)
    rows = "\n".join("<tr>" + "".join(f'<td dir="auto">{escape(c)}</td>' for c in row) + "</tr>" for row in block.rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
