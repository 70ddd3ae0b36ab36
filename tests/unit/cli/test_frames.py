from __future__ import annotations

import csv
import io
import os
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import click
import orjson
import polars as pl
import pytest

from lakehouse.cli.app import root
from lakehouse.cli.frames import Asked, asked, query_errors, replacing, write_frame
from lakehouse.cli.session import Session
from lakehouse.errors import UsageError

FRAME = pl.DataFrame(
    {
        "id": [1, 2, 3],
        "price": [Decimal("1.50"), None, Decimal("20.00")],
        "ratio": [0.5, float("nan"), None],
        "at": [datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC), None, datetime(2026, 1, 1, tzinfo=UTC)],
        "raw": [b"\x00\xff", b"", None],
        "tags": [["a", "b"], [], None],
        "place": [{"city": "Bonn", "zip": 1}, None, {"city": None, "zip": 2}],
        "took": [timedelta(seconds=90), None, timedelta(0)],
        "note": ["a,b", "", None],
    }
)


def session(*, as_json: bool = False) -> Session:
    return Session(config=None, as_json=as_json, quiet=False, debug=False)


def write(frame: pl.DataFrame, how: Asked, *, as_json: bool = False) -> None:
    write_frame(session(as_json=as_json), frame, asked=how, about={"table": "t"})


def test_one_document(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write(FRAME, Asked("document", None, 2), as_json=True)
    document = orjson.loads(capfdbinary.readouterr().out)
    assert document["table"] == "t"
    assert document["row_count"] == 2
    assert document["more"] is True
    assert document["columns"][0] == {"name": "id", "type": "long"}
    assert [column["type"] for column in document["columns"]][1:4] == ["decimal(38,2)", "double", "timestamp"]
    assert document["rows"][0] == {
        "id": 1,
        "price": "1.50",
        "ratio": 0.5,
        "at": "2026-03-04T05:06:07Z",
        "raw": "AP8=",
        "tags": ["a", "b"],
        "place": {"city": "Bonn", "zip": 1},
        "took": "PT90S",
        "note": "a,b",
    }
    assert document["rows"][1]["ratio"] == "NaN"
    assert document["rows"][1]["price"] is None


def test_json_is_an_array_and_json_lines_a_line_each(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write(FRAME, Asked("json", None, None))
    rows = orjson.loads(capfdbinary.readouterr().out)
    write(FRAME, Asked("jsonl", None, None))
    lines = capfdbinary.readouterr().out.splitlines()
    assert [orjson.loads(line) for line in lines] == rows
    assert len(rows) == 3


@pytest.mark.parametrize(("format_", "expected"), [("json", b"[]\n"), ("jsonl", b"")])
def test_no_rows(format_: str, expected: bytes, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write(FRAME.clear(), Asked(format_, None, None))
    assert capfdbinary.readouterr().out == expected


def test_csv_holds_nested_values_bytes_and_times_as_text(tmp_path: Path) -> None:
    write(FRAME, Asked("csv", tmp_path / "rows.csv", None))
    text = (tmp_path / "rows.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0] == {
        "id": "1",
        "price": "1.50",
        "ratio": "0.5",
        "at": "2026-03-04T05:06:07.000000+00:00",
        "raw": "AP8=",
        "tags": '["a","b"]',
        "place": '{"city":"Bonn","zip":1}',
        "took": "PT1M30S",
        "note": "a,b",
    }
    assert rows[2]["note"] == ""
    assert rows[2]["place"] == '{"city":null,"zip":2}'
    assert text.splitlines()[2].endswith('""')  # an empty text, not a null


def test_parquet_keeps_types_and_says_what_was_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "rows.parquet"
    write(FRAME, Asked("parquet", target, 2))
    assert pl.read_parquet(target).equals(FRAME.head(2))
    assert f"wrote {target}: 2 rows" in capfd.readouterr().out


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"
    target.write_text("old")

    def fail_half_way() -> None:
        with replacing(target) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_rows_go_into_a_device_directly(tmp_path: Path) -> None:
    write(FRAME, Asked("jsonl", Path(os.devnull), None))
    assert Path(os.devnull).is_char_device()


def test_a_table_says_that_there_is_more(capfd: pytest.CaptureFixture[str]) -> None:
    write(FRAME.select("id", "note"), Asked("table", None, 2))
    out, err = capfd.readouterr()
    assert out.splitlines() == ["id  note", "──  ────", " 1  a,b", ' 2  ""']
    assert "the first 2 rows; more with --limit N or --all" in err


def test_a_column_that_is_not_there_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="nope") as caught:
        write_frame(session(), FRAME.lazy().select("nope"), asked=Asked("table", None, None), about={})
    assert caught.value.exit_code == 2


def test_sql_that_is_none_is_wrong_usage() -> None:
    with pytest.raises(UsageError), query_errors():
        pl.SQLContext(t=FRAME, eager=True).execute("SELEKT 1")


def test_what_polars_says_about_data_stays_inside() -> None:
    with pytest.raises(pl.exceptions.PolarsError), query_errors():
        pl.DataFrame({"x": ["secret"]}).select(pl.col("x").cast(pl.Int64))


def how(*, as_json: bool = False, **options: object) -> Asked:
    given = {"format_": None, "output": None, "limit": None, "everything": False, **options}
    with click.Context(root):
        return asked(session(as_json=as_json), **given)  # type: ignore[arg-type]


def test_the_format_follows_the_name_of_the_file() -> None:
    assert how(output="a.PARQUET").format == "parquet"
    assert how(output="a.ndjson").format == "jsonl"
    assert how(output="a.txt").format == "table"
    assert how(output="a.csv", format_="json").format == "json"
    assert how(output="-").output is None


def test_limits() -> None:
    assert how().limit is None
    assert how(limit=0).limit == 0
    with pytest.raises(click.UsageError, match="exclude each other"):
        how(limit=3, everything=True)


def test_on_a_terminal_twenty_rows_and_no_parquet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert how().limit == 20
    assert how(everything=True).limit is None
    assert how(as_json=True).limit is None
    assert how(output="rows.csv").limit is None
    with pytest.raises(click.UsageError, match="--output"):
        how(format_="parquet")


def test_one_document_excludes_other_formats() -> None:
    assert how(as_json=True).format == "document"
    assert how(as_json=True, output="a.csv").format == "csv"
    with pytest.raises(click.UsageError, match="one document"):
        how(as_json=True, format_="csv")
