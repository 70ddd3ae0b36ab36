"""Pages looked through as they are tell the same as decoded rows, which tell what pages leave open."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.requests.needles import Needle
from lakehouse.requests.search import SearchReport
from lakehouse.requests.search import parquet as parquet_module
from lakehouse.requests.search.footer import read_footer
from lakehouse.requests.search.opening import read_at
from lakehouse.requests.search.pages import pages_of
from lakehouse.requests.search.sought import Sought
from lakehouse.requests.search.tally import Tally
from lakehouse.requests.search.unpacked import flat_columns, values_without_finds
from tests.unit.requests.search.planted import MAIL, SHORT, look

NEEDLES = (
    Needle("r1", "email", MAIL, (("people", "email"),)),
    Needle("r1", "id", SHORT, (("people", "id"), ("people", "day"), ("people", "code"))),
    Needle("r2", "phone", "4917012345678", (("people", "phone"),)),
    Needle("r2", "born", "1990-02-03", (("people", "day"),)),
)


def table_of(rng: random.Random, rows: int) -> pa.Table:
    def column(values: list[Any], kind: Any, planted: Any) -> pa.Array:
        nulls = rng.choice([0.0, 0.05, 0.9])
        cells = [None if rng.random() < nulls else rng.choice(values) for _ in range(rows)]
        if rng.random() < 0.3:
            cells[rng.randrange(rows)] = planted
        return pa.array(cells, kind)

    texts = [f"somebody{at}@example.net" for at in range(200)]
    days = [dt.date(1990, 1, 1) + dt.timedelta(days=at) for at in range(30)]
    return pa.table(
        {
            "id": column(list(range(3000)), rng.choice([pa.int16(), pa.int64(), pa.uint32()]), int(SHORT)),
            "phone": column(list(range(10**9, 10**9 + 500)), pa.int64(), 4917012345678),
            "day": column(days, pa.date32(), dt.date(1990, 2, 3)),
            "amount": column([0.5, 1.5, 4711.0], pa.float64(), 2.5),
            "price": column([Decimal("1.5"), Decimal("4711.0")], pa.decimal128(9, 1), Decimal("2.5")),
            "email": column(texts, rng.choice([pa.string(), pa.large_string(), pa.string_view()]), MAIL),
            "text": column(texts, pa.string(), f"see jo{MAIL} and <{MAIL.upper()}>"),
            "code": column(["a", "4", "47111"], pa.string(), rng.choice([f" {SHORT} ", "4711a"])),
            "bytes": column([b"\xff", b"xyz"], pa.binary(), MAIL.encode("utf-16-le")),
            "flag": column([True, False], pa.bool_(), True),
            "many": column([["a"], []], pa.list_(pa.string()), [MAIL]),
        }
    )


def told(report: SearchReport) -> tuple[Any, ...]:
    hits = sorted((hit.request, hit.identifier, hit.path, hit.place, hit.count) for hit in report.hits)
    return hits, report.inside, report.total.cells, report.total.rows, report.not_searched


def test_pages_tell_the_same_as_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(7)
    for number in range(24):
        pq.write_table(
            table_of(rng, 700),
            tmp_path / f"{number}.parquet",
            use_dictionary=rng.choice([True, False]),
            dictionary_pagesize_limit=rng.choice([100, 1 << 20]),
            compression=rng.choice(["none", "snappy", "zstd", "gzip"]),
            data_page_version=rng.choice(["1.0", "2.0"]),
            data_page_size=rng.choice([200, 1 << 20]),
            write_batch_size=64,
            row_group_size=rng.choice([300, 1000]),
            write_statistics=False,
        )
    by_pages = look(tmp_path, needles=NEEDLES)
    monkeypatch.setattr(parquet_module, "flat_columns", lambda _: {})
    assert told(by_pages) == told(look(tmp_path, needles=NEEDLES))
    assert {hit.identifier for hit in by_pages.hits} == {"email", "id", "phone", "born"}


def test_only_what_pages_leave_open_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    batches = parquet_module._batches

    def noting(parquet: Any, group: int, columns: list[str]) -> Any:
        decoded.extend(columns)
        return batches(parquet, group, columns)

    monkeypatch.setattr(parquet_module, "_batches", noting)
    table = pa.table({"id": [1, 2], "email": ["a", "b"], "text": ["-", MAIL], "code": ["x", None]})
    pq.write_table(table, tmp_path / "a.parquet", use_dictionary=False, write_statistics=False)
    report = look(tmp_path, needles=NEEDLES)
    # Short values are compared with whole cells.
    assert sorted(decoded) == ["code", "text"]
    assert [hit.place for hit in report.hits] == ["column text"]
    assert report.total.cells == 7


def test_a_dictionary_that_lies_elsewhere_is_decoded(tmp_path: Path) -> None:
    pq.write_table(pa.table({"email": ["a", "b", "a"]}), tmp_path / "a.parquet")
    size = (tmp_path / "a.parquet").stat().st_size
    tally = Tally(sought=Sought(NEEDLES), table="people", path="a")
    with (tmp_path / "a.parquet").open("rb") as file:
        (chunk,) = read_footer(file, size).chunks
        data = memoryview(read_at(file, chunk.span.start, chunk.span.length))
        flat = flat_columns(pq.ParquetFile(tmp_path / "a.parquet"))["email"]
    pages = list(pages_of(chunk, data))
    assert [page.is_dictionary for page in pages] == [True, False]
    assert values_without_finds(chunk, flat, pages, data, tally) == 3
    assert values_without_finds(chunk, flat, pages[1:], data, tally) is None
    # Nor is a column believed of which schema and chunk say different things.
    assert values_without_finds(replace(chunk, kind=2), flat, pages, data, tally) is None
