"""Keys of every type are found again in files of every writer, whatever its statistics leave out.

A key that is overlooked becomes a second row: delta-rs rounds the bounds of long decimals to floats, or cuts
them to 64 bits; Spark and Sail cut timestamps down to milliseconds and texts short.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lakehouse.delta.schema import parse_type, type_to_arrow
from tests.fixtures.sail import Sail
from tests.integration.interop.engines import everywhere, open_table

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("sail")]

KEYS: Mapping[str, Sequence[Any]] = {
    "decimal(20,0)": [Decimal(10**19 + 1), Decimal(-(10**19) - 1), Decimal(2**63), Decimal(5)],
    "decimal(38,18)": [
        Decimal("1.000000000000000001"),
        Decimal("99999999999999999999.999999999999999999"),
        Decimal("-0.000000000000000001"),
    ],
    "decimal(9,2)": [Decimal("1.10"), Decimal("-9999999.99")],
    "long": [2**63 - 1, -(2**63), 2**53 + 1],
    "byte": [127, -128],
    "string": ["x" * 100 + "a", "x" * 100 + "b", "", "\U0010ffff" * 70, "é" * 40],
    "timestamp": [
        datetime(2026, 1, 1, 0, 0, 0, 123456, UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
    ],
    "timestamp_ntz": [datetime(2026, 1, 1, 0, 0, 0, 1), datetime(1900, 1, 1, 0, 0, 0, 999)],
    "date": [date(9999, 12, 31), date(1582, 10, 4), date(1, 1, 1)],
    "boolean": [True, False],
    "double": [0.1, -1e308, 5e-324],
    "float": [0.10000000149011612, 3.4028234663852886e38],
    "binary": [b"\xff\xfe", b"", b"a"],
}
Writer = Callable[[Path, str, pa.Table, Sail], None]


def by_delta_rs(path: Path, kind: str, rows: pa.Table, sail: Sail) -> None:
    for part in rows.to_batches(max_chunksize=1):
        write_deltalake(path, pa.Table.from_batches([part]), mode="append")


def by_sail(path: Path, kind: str, rows: pa.Table, sail: Sail) -> None:
    sail.create(path, f"id {kind}, v bigint")
    for part in rows.to_batches(max_chunksize=1):
        frame = sail.session.createDataFrame(pa.Table.from_batches([part]))
        frame.write.format("delta").mode("append").save(str(path))


def by_us(path: Path, kind: str, rows: pa.Table, sail: Sail) -> None:
    table = open_table(path.parent, schema={"id": kind, "v": "long"})
    for part in rows.to_batches(max_chunksize=1):
        table.merge(part)


@pytest.mark.parametrize("write", [by_delta_rs, by_sail, by_us], ids=lambda write: write.__name__)
@pytest.mark.parametrize("kind", KEYS)
def test_a_stored_key_is_updated_and_not_added(tmp_path: Path, sail: Sail, kind: str, write: Writer) -> None:
    keys = KEYS[kind]
    column = pa.array(keys, type_to_arrow(parse_type(kind)))
    rows = pa.table({"id": column, "v": pa.array(range(len(keys)), pa.int64())})
    write(tmp_path / "t", kind, rows, sail)
    table = open_table(tmp_path)
    result = table.merge(pl.DataFrame(rows).with_columns(v=pl.lit(7, dtype=pl.Int64)))
    assert (result.inserted, result.updated) == (0, len(keys))
    everywhere(table, [{"id": key, "v": 7} for key in keys], sail=sail)
