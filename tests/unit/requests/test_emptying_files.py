"""Cells of old Parquet files are emptied in place: same size, same rows, nothing of the person left."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from pyroaring import BitMap64

from lakehouse.delta.parquet_edit.problems import CantEditError, NoRoomError
from lakehouse.errors import CorruptTableError
from lakehouse.requests.redact.files import Cells, emptied_file
from tests.fixtures.pages import every_byte, holds

PERSON = "anna.canary@example.com"
CODECS = ("snappy", "zstd", "gzip", "none", "brotli", "lz4")


def parquet(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def people(rows: int = 1000) -> pa.Table:
    mails = [f"user{number}@example.com" for number in range(rows)]
    mails[rows // 2] = PERSON
    return pa.table({"id": np.arange(rows), "email": mails, "note": [f"note {n % 7}" for n in range(rows)]})


def emptied(data: bytes, rows: Sequence[int], *cells: Cells) -> bytes:
    done = emptied_file(data, rows=rows, columns=cells)
    assert done is not None
    assert len(done.data) == len(data)
    return done.data


def table(data: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(data))


def without(found: pa.Table, rows: Sequence[int]) -> str:
    """As text, in which NaN equals NaN."""
    gone = set(rows)
    return repr([row for number, row in enumerate(found.to_pylist()) if number not in gone])


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("dictionary", [True, False])
def test_only_the_cells_are_empty(codec: str, dictionary: bool) -> None:
    data = parquet(people(), compression=codec, use_dictionary=dictionary, row_group_size=300)
    assert holds(data, PERSON.encode())
    new = emptied(data, [500], Cells(("email",)))
    assert not holds(new, PERSON.encode())
    assert table(new)["email"][500].as_py() is None
    assert table(new).schema.equals(table(data).schema, check_metadata=True)
    assert without(table(new), [500]) == without(table(data), [500])
    assert table(new).drop_columns("email").equals(table(data).drop_columns("email"))


def test_a_row_group_without_the_person_keeps_its_bytes() -> None:
    data = parquet(people(), row_group_size=300)
    done = emptied_file(data, rows=[500], columns=[Cells(("email",))])
    assert done is not None
    assert done.chunks == 1
    old, new = pq.ParquetFile(io.BytesIO(data)).metadata, pq.ParquetFile(io.BytesIO(done.data)).metadata
    for group in (0, 2, 3):
        was, now = old.row_group(group).column(1), new.row_group(group).column(1)
        assert now.compression == was.compression
        first, then = was.dictionary_page_offset, now.dictionary_page_offset
        size = was.total_compressed_size
        assert data[first : first + size] == done.data[then : then + size]


def test_statistics_of_other_columns_stay_and_those_of_the_emptied_go() -> None:
    data = parquet(people(), row_group_size=300, write_page_index=True)
    found = pq.ParquetFile(io.BytesIO(emptied(data, [500], Cells(("email",))))).metadata.row_group(1)
    assert found.column(0).statistics.min == 300
    assert found.column(1).statistics is None
    assert not found.column(1).has_column_index


def test_a_second_time_there_is_nothing_to_do() -> None:
    new = emptied(parquet(people()), [500], Cells(("email",)))
    assert emptied_file(new, rows=[500], columns=[Cells(("email",))]) is None
    assert emptied_file(new, rows=[], columns=[Cells(("email",))]) is None
    assert emptied_file(new, rows=[1], columns=[Cells(("absent",))]) is None


def test_several_people_in_any_order_by_bitmap_or_array() -> None:
    data = parquet(people())
    by_list = emptied(data, [700, 3, 3, 500], Cells(("email",)), Cells(("note",)))
    for rows in (BitMap64([3, 500, 700]), np.array([500, 3, 700])):
        done = emptied_file(data, rows=rows, columns=[Cells(("email",)), Cells(("note",))])
        assert done is not None
        assert done.data == by_list
        assert dict(done.cells) == {("email",): 3, ("note",): 3}


def test_a_column_that_can_not_be_null_gets_its_constant() -> None:
    schema = pa.schema([pa.field("email", pa.string(), nullable=False), pa.field("id", pa.int64())])
    rows = pa.table({"email": ["bob@example.com", PERSON], "id": [1, 2]}, schema=schema)
    data = parquet(rows)
    with pytest.raises(CantEditError, match="can't be null has no neutral value"):
        emptied_file(data, rows=[1], columns=[Cells(("email",))])
    new = emptied(data, [1], Cells(("email",), ""))
    assert table(new)["email"].to_pylist() == ["bob@example.com", ""]
    assert not holds(new, PERSON.encode())
    assert emptied_file(new, rows=[1], columns=[Cells(("email",), "")]) is None


NEUTRAL: Mapping[str, tuple[pa.DataType, Any, Any]] = {
    "text": (pa.string(), "canary", ""),
    "bytes": (pa.binary(), b"canary", b"-"),
    "flag": (pa.bool_(), True, False),
    "short": (pa.int16(), 77, 0),
    "long": (pa.int64(), 77, -1),
    "float": (pa.float32(), 77.5, 0.5),
    "double": (pa.float64(), 77.5, -0.5),
    "small decimal": (pa.decimal128(9, 2), Decimal("77.50"), Decimal("0.00")),
    "large decimal": (pa.decimal128(38, 2), Decimal("77.50"), Decimal("-1.25")),
    "date": (pa.date32(), date(1977, 7, 7), date(1900, 1, 1)),
    "millis": (pa.timestamp("ms"), datetime(1977, 7, 7), datetime(1900, 1, 1, 2, 3, 4)),
    "micros": (pa.timestamp("us", "UTC"), datetime(1977, 7, 7, tzinfo=UTC), datetime(1900, 1, 1, tzinfo=UTC)),
}


@pytest.mark.parametrize("name", NEUTRAL)
@pytest.mark.parametrize("as_integer", [True, False])
def test_a_constant_of_any_type(name: str, as_integer: bool) -> None:
    kind, value, neutral = NEUTRAL[name]
    data = parquet(pa.table({"c": pa.array([value] * 50, kind)}), store_decimal_as_integer=as_integer)
    new = emptied(data, [1], Cells(("c",), neutral))
    assert table(new)["c"].to_pylist() == [value, neutral, *[value] * 48]


def test_a_constant_of_96_bit_times() -> None:
    values = pa.array([datetime(1977, 7, 7, 1, 2, 3, 4)] * 5, pa.timestamp("us"))
    data = parquet(pa.table({"c": values}), use_deprecated_int96_timestamps=True)
    new = emptied(data, [1], Cells(("c",), datetime(1999, 12, 31, 23)))
    assert pl.read_parquet(io.BytesIO(new))["c"].to_list()[:2] == [
        values[0].as_py(),
        datetime(1999, 12, 31, 23),
    ]
    nothing = emptied(data, [1], Cells(("c",)))
    assert table(nothing)["c"].null_count == 1


@pytest.mark.parametrize("neutral", [1, "x" * 3, date(2000, 1, 1), Decimal("1.234"), b"\0"])
def test_a_constant_of_another_type_is_refused(neutral: Any) -> None:
    data = parquet(pa.table({"c": pa.array([Decimal("1.50")], pa.decimal128(30, 2))}))
    with pytest.raises(CantEditError, match="not of its column's type"):
        emptied_file(data, rows=[0], columns=[Cells(("c",), neutral)])


NESTED = pa.table(
    {
        "id": [1, 2, 3, 4],
        "address": [
            {"street": "a", "city": "b"},
            {"street": PERSON, "city": None},
            None,
            {"street": "c", "city": "d"},
        ],
        "mails": [["a"], [PERSON, None, "x"], [], None],
        "contacts": [
            [{"mail": "a", "tags": ["t"]}],
            [{"mail": PERSON, "tags": ["u", PERSON]}, None],
            None,
            [{"mail": None, "tags": None}],
        ],
        "labels": pa.array(
            [[("k", "v")], [("k", PERSON), ("j", None)], [], None], pa.map_(pa.string(), pa.string())
        ),
    }
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("address",), None),
        (("address", "street"), {"street": None, "city": None}),
        (("mails",), None),
        (("mails", "element"), [None, None, None]),
        (("contacts",), None),
        (("contacts", "element"), [None, None]),
        (("contacts", "element", "mail"), [{"mail": None, "tags": ["u", PERSON]}, None]),
        (("contacts", "element", "tags"), [{"mail": PERSON, "tags": None}, None]),
        (("contacts", "element", "tags", "element"), [{"mail": PERSON, "tags": [None, None]}, None]),
        (("labels",), None),
        (("labels", "value"), [("k", None), ("j", None)]),
    ],
)
@pytest.mark.parametrize("modern", [True, False])
def test_nested_cells(path: tuple[str, ...], expected: Any, modern: bool) -> None:
    data = parquet(NESTED, use_compliant_nested_type=modern)
    new = table(emptied(data, [1], Cells(path)))
    assert new[path[0]][1].as_py() == expected
    assert without(new, [1]) == without(NESTED, [1])
    assert new.drop_columns(path[0]).equals(NESTED.drop_columns(path[0]))


def test_what_is_in_an_emptied_column_goes_with_it() -> None:
    data = parquet(NESTED)
    cells = [Cells(("contacts", "element", "mail")), Cells(("contacts",)), Cells(("mails",))]
    new = emptied(data, [1], *cells, Cells(("address",)), Cells(("labels",)))
    assert not holds(new, PERSON.encode())


def test_lists_that_can_not_be_null_become_empty() -> None:
    inner = pa.struct([pa.field("mail", pa.string()), pa.field("n", pa.list_(pa.string()), nullable=False)])
    schema = pa.schema([pa.field("c", inner, nullable=False)])
    rows = [{"mail": "a", "n": ["b"]}, {"mail": PERSON, "n": [PERSON, "x"]}]
    new = emptied(
        parquet(pa.Table.from_pylist([{"c": row} for row in rows], schema=schema)), [1], Cells(("c",))
    )
    assert table(new)["c"].to_pylist() == [rows[0], {"mail": None, "n": []}]
    assert not holds(new, PERSON.encode())


def test_a_category_that_no_row_of_a_group_has_goes_from_its_dictionary() -> None:
    values = pa.array(["x", "y", PERSON, "x"] * 5).dictionary_encode()
    other = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 10, pa.int32()), values.dictionary)
    data = parquet(pa.table({"c": pa.chunked_array([values, other])}), row_group_size=20)
    group = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(1).column(0)
    assert PERSON.encode() in data[group.dictionary_page_offset :][: group.total_compressed_size]
    gone = list(range(2, 20, 4))
    assert not holds(emptied(data, gone, Cells(("c",))), PERSON.encode())


def test_a_category_goes_from_a_file_in_which_no_row_has_it() -> None:
    known = pa.array(["x", "y", PERSON])
    values = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 10, pa.int32()), known)
    data = parquet(pa.table({"c": values}), write_statistics=False)
    assert holds(data, PERSON.encode())
    assert emptied_file(data, rows=[], columns=[Cells(("c",))]) is None
    named = Cells(("c",), gone=(PERSON, 5, "never there"))
    assert PERSON not in repr(named)
    new = emptied(data, [], named)
    assert not holds(new, PERSON.encode())
    assert table(new)["c"].to_pylist() == ["x", "y"] * 10
    assert emptied_file(new, rows=[], columns=[named]) is None
    assert emptied_file(data, rows=[], columns=[Cells(("c",), gone=("x",))]) is None


def test_notes_of_the_file_with_the_value_go_and_others_stay() -> None:
    rows = people().replace_schema_metadata({"largest": PERSON, "origin": "shop"})
    new = emptied(parquet(rows), [500], Cells(("email",)))
    assert not holds(new, PERSON.encode())
    assert table(new).schema.metadata == {b"origin": b"shop"}


def test_a_file_of_polars_and_one_of_duckdb(tmp_path: Any) -> None:
    mine = io.BytesIO()
    pl.DataFrame(people()).with_columns(pl.col("note").cast(pl.Categorical)).write_parquet(
        mine, row_group_size=99
    )
    place = tmp_path / "made.parquet"
    duckdb.from_arrow(people()).query("p", f"COPY p TO '{place}' (FORMAT parquet, PARQUET_VERSION v2)")
    for data in (mine.getvalue(), place.read_bytes()):
        new = emptied(data, [500], Cells(("email",)))
        assert not holds(new, PERSON.encode())
        place.write_bytes(new)
        by_duckdb = duckdb.sql(f"SELECT * FROM '{place}' ORDER BY id").pl()
        for found in (pl.read_parquet(io.BytesIO(new)), pl.DataFrame(table(new)), by_duckdb):
            assert found["email"][500] is None
            assert found.with_row_index().filter(pl.col("index") != 500)["email"].to_list() == [
                mail for mail in people()["email"].to_pylist() if mail != PERSON
            ]


def test_texts_as_views(tmp_path: Any) -> None:
    rows = people().cast(
        pa.schema([("id", pa.int64()), ("email", pa.string_view()), ("note", pa.string_view())])
    )
    new = emptied(parquet(rows), [500], Cells(("email",)))
    assert table(new).schema.field("email").type == pa.string_view()
    assert not holds(new, PERSON.encode())


def test_sorted_by_an_emptied_column_is_not_said_any_more() -> None:
    order = [pq.SortingColumn(1)]
    data = parquet(people(), sorting_columns=order)
    assert pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).sorting_columns
    new = emptied(data, [500], Cells(("email",)))
    assert not pq.ParquetFile(io.BytesIO(new)).metadata.row_group(0).sorting_columns
    kept = emptied(data, [500], Cells(("note",)))
    assert pq.ParquetFile(io.BytesIO(kept)).metadata.row_group(0).sorting_columns


def test_a_larger_neutral_value_finds_room_by_another_codec() -> None:
    digits = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(220)]
    data = parquet(pa.table({"digits": digits[:200]}), compression="snappy")
    new = emptied(data, [5, 6], Cells(("digits",), "".join(digits[200:])))
    assert pq.ParquetFile(io.BytesIO(new)).metadata.row_group(0).column(0).compression == "ZSTD"


def test_without_room_it_is_refused_and_says_so() -> None:
    data = parquet(pa.table({"c": ["a"]}), compression="none", write_statistics=False, store_schema=False)
    with pytest.raises(NoRoomError, match=r"it would need \d+ bytes where it has \d+"):
        emptied_file(data, rows=[0], columns=[Cells(("c",), "".join(map(chr, range(1000))))])


def test_encrypted_damaged_and_short_files_are_refused() -> None:
    data = parquet(people())
    with pytest.raises(CantEditError, match="encrypted"):
        emptied_file(data[:-4] + b"PARE", rows=[1], columns=[Cells(("email",))])
    with pytest.raises(CorruptTableError, match="no Parquet file"):
        emptied_file(data[:-1], rows=[1], columns=[Cells(("email",))])
    with pytest.raises(CorruptTableError):
        emptied_file(data[:4] + data[-200:], rows=[1], columns=[Cells(("email",))])
    with pytest.raises(CantEditError, match="fewer rows"):
        emptied_file(data, rows=[1000], columns=[Cells(("email",))])
    data = parquet(people(), compression="none")
    broken = bytearray(data)
    place = data.find(b"user1@")
    broken[place - 300 : place + 300] = bytes(600)
    with pytest.raises(CantEditError) as refused:
        emptied_file(bytes(broken), rows=[1], columns=[Cells(("email",))])
    assert "user" not in str(refused.value)


def test_the_search_of_this_test_sees_compressed_pages() -> None:
    assert sum(PERSON.encode() in part for part in every_byte(parquet(people(), compression="gzip"))) >= 1


@pytest.mark.parametrize("plain_footer", [True, False])
def test_encrypted_columns_are_refused(plain_footer: bool) -> None:
    class Keys(pe.KmsClient):  # type: ignore[misc]
        def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
            return base64.b64encode(key_bytes)

        def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:
            return base64.b64decode(wrapped_key)

    factory = pe.CryptoFactory(lambda _: Keys())
    secret = pe.EncryptionConfiguration(
        footer_key="f", column_keys={"c": ["email"]}, plaintext_footer=plain_footer
    )
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), secret)
    data = parquet(people(), encryption_properties=properties)
    for column in ("email", "note"):
        with pytest.raises(CantEditError, match="encrypted"):
            emptied_file(data, rows=[1], columns=[Cells((column,))])
