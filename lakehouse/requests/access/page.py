"""The pages of a bundle that a person can read and print: no scripts, nothing from elsewhere, all escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

from lakehouse.requests.access.forms import html_cell

PAGE_ROWS: Final = 200
"""Rows on one page."""

_MOST_COLUMNS: Final = 8
"""With more than that a table is wider than a page: then each row is one of its own."""

_STYLE: Final = """
:root { color-scheme: light dark;
  --ink: #1a1a1a; --dim: #5c5c5c; --line: #ccc; --paper: #fff; --tint: #f3f3ef }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e6e3; --dim: #a8a49e; --line: #444; --paper: #16181a; --tint: #202326 }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 64rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.7rem; margin-bottom: 0 } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem }
p.what { margin-top: .2rem } p.what, .none { color: var(--dim) }
a { color: inherit } .wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem 0;
  text-align: left; vertical-align: top }
td { white-space: pre-wrap; overflow-wrap: anywhere }
table.facts th, table.card th { width: 14rem; font-weight: 600 }
table.card { background: var(--tint); margin: 0 0 1rem } table.card th, table.card td { padding-left: .8rem }
@media print {
  :root { --ink: #000; --dim: #444; --line: #bbb; --paper: #fff; --tint: #fff }
  body { margin: 0; max-width: none; font-size: 10.5pt } .wide { overflow: visible }
  tr, table.card { break-inside: avoid } thead { display: table-header-group }
}
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def page(title: str, body: str) -> str:
    """A whole page.

    Args:
        title: Its title; escaped here.
        body: HTML.
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n{body}</body></html>\n"
    )


def rows_part(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a table, or each as a table of its own where there are many columns.

    Args:
        columns: The columns, in order.
        rows: Documents with these.
    """
    if len(columns) > _MOST_COLUMNS:
        return "".join(_card(columns, row) for row in rows)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    lines = "".join(
        "<tr>" + "".join(f"<td>{html_cell(row[name])}</td>" for name in columns) + "</tr>\n" for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{lines}</tbody></table></div>'


def rows_page(title: str, *, number: int, first: int, body: str, is_last: bool, name: str) -> str:
    """One of several pages with the rows of a source.

    Args:
        title: What the rows are.
        number: Which page, from 1.
        first: The number of its first row, from 1.
        body: The rows.
        is_last: Whether no more come.
        name: What the pages are called, without number and ending.
    """
    links = ['<a href="../index.html">overview</a>']
    links += [f'<a href="{escape(name)}-{number - 1}.html">earlier rows</a>'] if number > 1 else []
    links += [] if is_last else [f'<a href="{escape(name)}-{number + 1}.html">more rows</a>']
    head = f"<h1>{escape(title)}</h1><p class=what>from row {first:,} on · {' · '.join(links)}</p>"
    return page(title, head + body)


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Names with what is said of them.

    Args:
        rows: Names, and texts; both escaped here.
    """
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(said)}</td></tr>' for name, said in rows
    )
    return f'<table class="facts"><tbody>{lines}</tbody></table>'


def section(title: str, *parts: str) -> str:
    """A part of a page.

    Args:
        title: Its title; escaped here.
        parts: HTML.
    """
    return f"<h2>{escape(title)}</h2>{''.join(parts)}\n"


def paragraph(text: str) -> str:
    """A paragraph.

    Args:
        text: Escaped here.
    """
    return f"<p>{escape(text)}</p>"


def items(texts: Iterable[str]) -> str:
    """A list.

    Args:
        texts: Escaped here.
    """
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def links(pairs: Iterable[tuple[str, str]]) -> str:
    """Links to files beside the page.

    Args:
        pairs: Addresses and texts; both escaped here.
    """
    found = (f'<a href="{escape(address)}">{escape(text)}</a>' for address, text in pairs)
    return f"<p>{' · '.join(found)}</p>"


def _card(columns: Sequence[str], row: Mapping[str, Any]) -> str:
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{html_cell(row[name])}</td></tr>' for name in columns
    )
    return f'<table class="card"><tbody>{lines}</tbody></table>\n'
