"""Whatever a file is like: what is emptied is gone from every byte of it, and nothing else has changed."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, TypeAlias, get_args

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import event, given, settings
from hypothesis import strategies as st

from lakehouse.delta.parquet_edit.problems import CantEditError, NoRoomError
from lakehouse.errors import CorruptTableError
from lakehouse.requests.redact.files import Cells, emptied_file
from tests.fixtures.pages import holds

MARK = "zz-canary"
TEXTS = st.sampled_from(["", "a", "bob", "ümlaut" * 3, "x" * 50]) | st.text(max_size=8)
PEOPLE = st.integers(0, 99).map(lambda number: f"{MARK}-{number:02}@example.com")
TIMES = st.integers(-(2**51), 2**51).map(lambda micros: datetime(1970, 1, 1) + timedelta(microseconds=micros))
PLAIN: Mapping[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "text": (pa.string(), TEXTS),
    "bytes": (pa.binary(), st.binary(max_size=9)),
    "long": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "integer": (pa.int32(), st.integers(-5, 5)),
    "double": (pa.float64(), st.floats()),
    "float": (pa.float32(), st.floats(width=32)),
    "flag": (pa.bool_(), st.booleans()),
    "decimal": (pa.decimal128(12, 2), st.decimals(-(10**9), 10**9, places=2)),
    "large decimal": (
        pa.decimal128(30, 4),
        st.integers(-(10**28), 10**28).map(lambda n: Decimal(n).scaleb(-4)),
    ),
    "date": (pa.date32(), st.dates(date(1, 1, 1))),
    "time": (pa.timestamp("us"), TIMES),
    "moment": (pa.timestamp("us", "UTC"), TIMES.map(lambda time: time.replace(tzinfo=UTC))),
}
LIST = pa.list_(pa.string())
STRUCT = pa.struct([("mail", pa.string()), ("tags", LIST), ("n", pa.int64())])
SHAPES: Mapping[str, tuple[pa.DataType, Sequence[tuple[str, ...]]]] = {
    "text": (pa.string(), [()]),
    "list": (LIST, [(), ("element",)]),
    "struct": (STRUCT, [(), ("mail",), ("tags",), ("tags", "element")]),
    "lists": (pa.list_(LIST), [(), ("element",), ("element", "element")]),
    "structs": (pa.list_(STRUCT), [(), ("element",), ("element", "mail"), ("element", "tags", "element")]),
    "map": (pa.map_(pa.string(), STRUCT), [(), ("value",), ("value", "mail")]),
}
Codec: TypeAlias = Literal["snappy", "zstd", "gzip", "uncompressed", "lz4", "brotli"]
CODECS: st.SearchStrategy[Codec] = st.sampled_from(get_args(Codec))


def of(kind: pa.DataType, text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Values of a type whose texts are drawn from somewhere; null at any depth."""
    if pa.types.is_map(kind):
        pairs = st.tuples(st.sampled_from("kjh"), of(kind.item_type, text))
        return st.none() | st.lists(pairs, max_size=3, unique_by=lambda pair: pair[0])
    if pa.types.is_list(kind):
        return st.none() | st.lists(of(kind.value_type, text), max_size=3)
    if pa.types.is_struct(kind):
        return st.none() | st.fixed_dictionaries({field.name: of(field.type, text) for field in kind.fields})
    return st.none() | (st.integers(-9, 9) if pa.types.is_integer(kind) else text)


@dataclass(frozen=True)
class Case:
    """A file, and what is emptied in it."""

    data: bytes
    table: pa.Table
    rows: list[int]
    path: tuple[str, ...]


@st.composite
def written(draw: st.DrawFn, table: pa.Table) -> bytes:
    """Any writer's file of a table."""
    out = io.BytesIO()
    codec = draw(CODECS)
    size = draw(st.sampled_from([1, 3, 1000]))
    if draw(st.booleans()) and not any(pa.types.is_map(field.type) for field in table.schema):
        event("by Polars")
        pl.DataFrame(table).write_parquet(
            out,
            compression=codec,
            row_group_size=size,
            statistics=draw(st.sampled_from([True, False, "full"])),  # type: ignore[arg-type]
        )
        return out.getvalue()
    event("by PyArrow")
    pq.write_table(
        table,
        out,
        compression=codec.replace("uncompressed", "none"),
        row_group_size=size,
        use_dictionary=draw(st.booleans()),
        data_page_version=draw(st.sampled_from(["1.0", "2.0"])),
        data_page_size=draw(st.sampled_from([10, 1 << 20])),
        write_statistics=draw(st.booleans()),
        write_page_index=draw(st.booleans()),
        use_compliant_nested_type=draw(st.booleans()),
        use_deprecated_int96_timestamps=draw(st.booleans()),
        store_decimal_as_integer=draw(st.booleans()),
        store_schema=draw(st.booleans()),
    )
    return out.getvalue()


@st.composite
def marked(draw: st.DrawFn) -> Case:
    """The texts of some rows are people, those of the others are not."""
    kind, paths = SHAPES[draw(st.sampled_from(sorted(SHAPES)))]
    path = draw(st.sampled_from(paths))
    count = draw(st.integers(1, 12))
    rows = sorted(draw(st.sets(st.integers(0, count - 1), min_size=1)))
    others = of(kind, TEXTS.filter(lambda text: MARK not in text))
    theirs = of(kind, PEOPLE)
    cells = [draw(theirs if number in rows else others) for number in range(count)]
    table = pa.table({"n": range(count), "c": pa.array(cells, kind), "z": [f"z{n}" for n in range(count)]})
    return Case(draw(written(table)), table, rows, ("c", *path))


@st.composite
def typed(draw: st.DrawFn) -> Case:
    kind, values = PLAIN[draw(st.sampled_from(sorted(PLAIN)))]
    cells = draw(st.lists(st.none() | values, min_size=1, max_size=12))
    rows = sorted(draw(st.sets(st.integers(0, len(cells) - 1), min_size=1)))
    table = pa.table({"n": range(len(cells)), "c": pa.array(cells, kind)})
    return Case(draw(written(table)), table, rows, ("c",))


def emptied(case: Case) -> bytes | None:
    """The new file; None where it does not fit, which only happens to files of a few bytes."""
    try:
        done = emptied_file(case.data, rows=case.rows, columns=[Cells(case.path)])
    except NoRoomError:
        event("no room")
        assert case.table.num_rows <= 12
        return None
    return case.data if done is None else done.data


def others(data: bytes, case: Case) -> str:
    """All cells but those, as text, in which NaN equals NaN."""
    found = pq.read_table(io.BytesIO(data)).to_pylist()
    return repr([{**row, "c": None} if at in case.rows else row for at, row in enumerate(found)])


def at(value: Any, path: Sequence[str]) -> list[Any]:
    """What is at a path into a value."""
    if value is None or not path:
        return [value]
    step, rest = path[0], path[1:]
    match step:
        case "element":
            return [found for each in value for found in at(each, rest)]
        case "value":
            return [found for _, each in value for found in at(each, rest)]
        case _:
            return at(value[step], rest)


@settings(deadline=None, max_examples=80)
@given(case=marked())
def test_what_is_emptied_is_nowhere_any_more(case: Case) -> None:
    new = emptied(case)
    if new is None:
        return
    assert len(new) == len(case.data)
    assert others(new, case) == others(case.data, case)
    cells = pq.read_table(io.BytesIO(new))["c"].to_pylist()
    assert all(value is None for row in case.rows for value in at(cells[row], case.path[1:]))
    inside = [repr(at(case.table["c"][row].as_py(), case.path[1:])) for row in case.rows]
    # Columns beside the emptied one within a struct can have people too.
    if len(case.path) == 1 or case.path[1:] in {("element",), ("element", "element"), ("value",)}:
        assert not holds(new, MARK.encode())
    event(f"something was there: {any(MARK in each for each in inside)}")


@settings(deadline=None, max_examples=80)
@given(case=typed())
def test_columns_of_every_type_keep_all_other_cells_bit_by_bit(case: Case) -> None:
    new = emptied(case)
    if new is None:
        return
    assert others(new, case) == others(case.data, case)
    found = pq.read_table(io.BytesIO(new))
    assert all(found["c"][row].as_py() is None for row in case.rows)
    assert found.schema.equals(pq.read_table(io.BytesIO(case.data)).schema)
    assert repr(pl.read_parquet(io.BytesIO(new))["n"].to_list()) == repr(case.table["n"].to_pylist())


BASE = pa.table({"n": range(60), "c": [f"{MARK}-{n}" if n == 7 else "x" * n for n in range(60)]})


@settings(deadline=None, max_examples=100)
@given(data=written(BASE), places=st.lists(st.tuples(st.integers(1, 900), st.integers(0, 255)), min_size=1))
def test_a_damaged_file_is_refused_without_a_word_of_its_content(
    data: bytes, places: list[tuple[int, int]]
) -> None:
    broken = bytearray(data)
    for place, value in places:
        broken[-min(place, len(data))] = value
    assert MARK not in attempt(bytes(broken))


def attempt(data: bytes) -> str:
    """What the refusal says; nothing where the damage does no harm."""
    try:
        done = emptied_file(data, rows=[7], columns=[Cells(("c",))])
    except (CantEditError, CorruptTableError) as refused:
        return f"{refused} {refused.__cause__}"
    assert done is None or len(done.data) == len(data)
    return ""
