"""Tables for people: columns as wide as needed, shrunk to the terminal, numbers to the right.

Written for speed on pipes (a table of a million rows goes through here) where nothing is cut off;
on a terminal long texts end in an ellipsis and columns that don't fit at all are counted and left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import click

from lakehouse.cli.cells import Cell, cell

_GAP = 2
_NARROWEST = 8


class Grid:
    """A table.

    Args:
        columns: Column names.
        rows: One sequence of values a row, in the order of the columns. A ``Cell`` is taken as it is.
        styles: Style by value for a column, as ``{"_change": {"insert": {"fg": "green"}}}``; the styles are
            those of ``click.style``.
        hint: What to say when columns had to be left out.
    """

    def __init__(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        styles: Mapping[str, Mapping[str, Mapping[str, object]]] | None = None,
        hint: str = "a wider terminal or --json shows all",
    ) -> None:
        self.columns = list(columns)
        self.rows = rows
        self.styles = styles or {}
        self.hint = hint

    def without_empty(self, *columns: str) -> Grid:
        """The same table without those of these columns in which no row says anything."""
        shown = [
            index
            for index, name in enumerate(self.columns)
            if name not in columns or any(row[index] not in (None, Cell("")) for row in self.rows)
        ]
        rows = [[row[index] for index in shown] for row in self.rows]
        return Grid([self.columns[index] for index in shown], rows, styles=self.styles, hint=self.hint)

    def lines(self, *, width: int | None, colour: bool) -> Iterator[str]:
        """Renders the table line by line.

        Args:
            width: Columns of the terminal; None for as wide as it gets.
            colour: Whether to style with ANSI codes.
        """
        if not self.columns:
            return
        titles = [cell(name).text for name in self.columns]
        columns = [_column(title, [row[index] for row in self.rows]) for index, title in enumerate(titles)]
        widths = fit(
            [column.width for column in columns],
            fixed=[column.whole for column in columns],
            titles=[display_width(title) for title in titles],
            width=width,
        )
        left_out = len(columns) - len(widths)
        columns = columns[: len(widths)]
        gap = " " * _GAP
        head = gap.join(
            _pad(cut(title, wide), wide, right=column.numeric)
            for title, column, wide in zip(titles, columns, widths, strict=False)
        ).rstrip()
        yield click.style(head, bold=True) if colour else head
        yield gap.join("─" * wide for wide in widths)
        styles = [self.styles.get(name, {}) for name in self.columns]
        shown = [
            column.padded(wide, styles=style if colour else None)
            for column, wide, style in zip(columns, widths, styles, strict=False)
        ]
        # The last column needs no blanks behind it.
        yield from (gap.join(line).rstrip() for line in zip(*shown, strict=True))
        if left_out:
            yield f"… and {left_out} more column{'s' if left_out > 1 else ''}; {self.hint}"


class _Column(NamedTuple):
    """The cells of a column, measured.

    Args:
        cells: The cells below the title.
        width: What it takes if nothing is cut, title included.
        simple: Whether every character takes one place, so that lengths are widths.
        numeric: Whether it stands right.
        whole: Whether its cells may not be cut.
    """

    cells: Sequence[Cell]
    width: int
    simple: bool
    numeric: bool
    whole: bool

    def padded(self, wide: int, *, styles: Mapping[str, Mapping[str, object]] | None) -> list[str]:
        """The cells as texts of one width; with ANSI codes where styles are given."""
        if styles is None and self.simple and wide >= self.width:
            if self.numeric:
                return [each.text.rjust(wide) for each in self.cells]
            return [each.text.ljust(wide) for each in self.cells]
        return [
            _pad(cut(each.text, wide), wide, right=self.numeric, style=_style(each, styles))
            for each in self.cells
        ]


def _column(title: str, values: Sequence[object]) -> _Column:
    cells = [value if isinstance(value, Cell) else cell(value) for value in values]
    simple = title.isascii() and all(each.text.isascii() for each in cells)
    measure = len if simple else display_width
    kinds = {each.kind for each in cells if each.text} - {"null"}
    return _Column(
        cells=cells,
        width=max(measure(title), max((measure(each.text) for each in cells), default=0)),
        simple=simple,
        numeric=kinds == {"number"},
        whole=bool(kinds) and kinds <= {"number", "time"},
    )


def _style(value: Cell, styles: Mapping[str, Mapping[str, object]] | None) -> Mapping[str, object]:
    if styles is None:
        return {}
    return {"dim": True} if value.kind == "null" else styles.get(value.text, {})


def _pad(text: str, wide: int, *, right: bool, style: Mapping[str, object] | None = None) -> str:
    blanks = " " * (wide - display_width(text))
    shown = click.style(text, **style) if style else text  # type: ignore[arg-type]
    return blanks + shown if right else shown + blanks


def fit(
    natural: Sequence[int], *, fixed: Sequence[bool], titles: Sequence[int], width: int | None
) -> list[int]:
    """Finds widths that fit: the widest texts give way first, numbers never; then columns are left out.

    Args:
        natural: Width of each column if nothing is cut.
        fixed: Which columns may not be cut: numbers and times.
        titles: Width of each title; a column is not made narrower than its title (up to a limit).
        width: What there is; None for no limit.

    Returns:
        Widths of the columns that are shown, from the left; at least one.
    """
    widths = list(natural)
    if width is None:
        return widths
    floors = [
        wide if keep else min(wide, max(_NARROWEST, min(title, 2 * _NARROWEST)))
        for wide, keep, title in zip(natural, fixed, titles, strict=True)
    ]
    while len(floors) > 1 and sum(floors) + _GAP * (len(floors) - 1) > width:
        floors.pop()
    widths = widths[: len(floors)]
    excess = sum(widths) + _GAP * (len(widths) - 1) - width
    while excess > 0:
        room = [wide - floor for wide, floor in zip(widths, floors, strict=True)]
        if not any(room):
            break
        widest = max((index for index, spare in enumerate(room) if spare), key=lambda index: widths[index])
        # Down to the next narrower column that can still give, so that wide columns end up alike.
        others = [wide for wide, spare in zip(widths, room, strict=True) if spare and wide < widths[widest]]
        step = widths[widest] - max(others, default=0)
        step = max(1, min(step, room[widest], excess))
        widths[widest] -= step
        excess -= step
    return widths


def display_width(text: str) -> int:
    """How many columns of a terminal a text takes; a Chinese character takes two, a combining one none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """Shortens a text to a width, with an ellipsis where something is missing."""
    if display_width(text) <= width:
        return text
    if text.isascii():
        return text[: width - 1] + "…"
    from rich.cells import set_cell_size

    return set_cell_size(text, width - 1).rstrip() + "…"
