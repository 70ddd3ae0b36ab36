from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import click
import pytest

from lakehouse.cli.cells import cell, moment, size, span
from lakehouse.cli.grid import Grid, cut, display_width, fit


def lines(grid: Grid, *, width: int | None = None) -> list[str]:
    return list(grid.lines(width=width, colour=False))


def test_numbers_stand_right_and_text_left() -> None:
    shown = lines(Grid(["name", "amount"], [["Ada", 5], ["Grace", 1200], [None, None]]))
    assert shown == ["name   amount", "─────  ──────", "Ada         5", "Grace    1200", "null     null"]


def test_null_differs_from_empty_text_and_from_the_word() -> None:
    assert [cell(value).text for value in (None, "", "null", "nulls")] == ["null", '""', '"null"', "nulls"]
    assert cell(None).kind == "null"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (7, "7"),
        (0.1, "0.1"),
        (float("nan"), "nan"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        (date(2026, 3, 4), "2026-03-04"),
        (datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC), "2026-03-04 05:06:07Z"),
        (datetime(2026, 3, 4, 5, 6, 7, 120_000, tzinfo=UTC), "2026-03-04 05:06:07.12Z"),
        (datetime(2026, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=2))), "2026-03-04 05:06:00+02:00"),
        (datetime(2026, 3, 4, 5, 6), "2026-03-04 05:06:00"),
        (timedelta(days=1, seconds=5), "1 day, 0:00:05"),
        (b"\xde\xad", "0xdead"),
        (bytes(40), "0x" + "00" * 16 + "… (40 B)"),
        ([1, None, "a"], '[1,null,"a"]'),
        ({"a": Decimal("1.5")}, '{"a":"1.5"}'),
    ],
)
def test_values_as_a_person_reads_them(value: object, text: str) -> None:
    assert cell(value).text == text


def test_a_value_can_not_steer_the_terminal() -> None:
    assert cell("\x1b[31mred\nnext\tcell\u202e").text == "\\x1b[31mred\\nnext\\tcell\\u202e"


def test_a_printed_time_can_be_typed_again() -> None:
    at = datetime(2026, 3, 4, 5, 6, 7, 120_000, tzinfo=UTC)
    assert datetime.fromisoformat(moment(at)) == at


def test_sizes_and_durations() -> None:
    assert [size(number) for number in (0, 999, 1500, 123_456, 2_000_000_000)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "123 kB",
        "2.0 GB",
    ]
    assert [span(seconds) for seconds in (0.012, 0.34, 59.9, 125)] == [
        "12 ms",
        "0.3 s",
        "59.9 s",
        "2 min 5 s",
    ]


def test_long_text_gives_way_before_numbers_do() -> None:
    shown = lines(Grid(["note", "amount"], [["x" * 50, 123456789012]]), width=30)
    assert shown[2] == "x" * 15 + "…  123456789012"
    assert all(display_width(line) <= 30 for line in shown)


def test_columns_that_do_not_fit_are_counted() -> None:
    names = [f"column_{number}" for number in range(20)]
    shown = lines(Grid(names, [["value"] * 20], hint="ask for fewer"), width=60)
    assert shown[-1] == "… and 14 more columns; ask for fewer"
    assert all(display_width(line) <= 60 for line in shown)


def test_nothing_is_cut_where_there_is_no_terminal() -> None:
    shown = lines(Grid(["a", "b"], [["x" * 500, "y"]]))
    assert shown[2] == "x" * 500 + "  y"


def test_wide_characters_keep_columns_in_line() -> None:
    shown = lines(Grid(["name", "n"], [["日本語", 1], ["Ada", 22]]))
    assert [display_width(line) for line in shown] == [10, 10, 10, 10]
    assert cut("日本語です", 5) == "日本…"


def test_colour_marks_nulls_and_chosen_values_without_moving_columns() -> None:
    grid = Grid(["_change", "id"], [["insert", None]], styles={"_change": {"insert": {"fg": "green"}}})
    plain = list(grid.lines(width=None, colour=False))
    coloured = list(grid.lines(width=None, colour=True))
    assert coloured != plain
    assert [click.unstyle(line) for line in coloured] == plain


def test_no_columns_no_lines_and_no_rows_only_a_head() -> None:
    assert lines(Grid([], [])) == []
    assert lines(Grid(["a", "b"], [])) == ["a  b", "─  ─"]


@pytest.mark.parametrize("width", [20, 33, 50, 80, 200])
def test_fit_never_exceeds_the_width_nor_widens(width: int) -> None:
    natural = [5, 60, 12, 3, 40, 9]
    fixed = [True, False, False, True, False, True]
    widths = fit(natural, fixed=fixed, titles=[4, 10, 12, 3, 6, 9], width=width)
    assert sum(widths) + 2 * (len(widths) - 1) <= width
    assert all(0 < wide <= whole for wide, whole in zip(widths, natural, strict=False))
    assert all(wide == whole for wide, whole, keep in zip(widths, natural, fixed, strict=False) if keep)
