"""Files of changes: what is in them, which line of them is broken, and which of them can't be read."""

from __future__ import annotations

import gzip
import io
import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from lakehouse.cdc.changes import ORDINAL, ChangeBatch, absence
from lakehouse.cdc.formats import Settings, normalize
from lakehouse.cdc.sources import FileKind, read_files
from lakehouse.delta.type_names import parse_type
from lakehouse.errors import DataError, NotFoundError, UsageError

FRAME = pl.DataFrame({"id": [1, 2], "name": ["a", None]})


def write(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def read(*paths: Path, types: dict[str, str] | None = None) -> ChangeBatch:
    declared = {name: parse_type(text) for name, text in (types or {}).items()}
    return normalize(read_files(paths), format="rows", settings=Settings(key=("id",), types=declared))


def problems(batch: ChangeBatch) -> list[tuple[int, int | None, str]]:
    return [(item.position, item.line, item.reason) for item in batch.rejected]


LINES = '{"id":1,"name":"a"}\n{"id":2,"name":null}\n'


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", LINES),
        ("a.ndjson", LINES.replace("\n", "\r\n")),
        ("a.JSONL", LINES),
        ("a.json", LINES),
        ("a.json", '[{"id":1,"name":"a"},\n {"id":2,"name":null}]'),
        ("a.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)),
        ("a.csv", "id,name\n1,a\n2,\n"),
        ("a.csv", "\ufeffid,name\r\n1,a\r\n2,"),
        ("a.csv.gz", gzip.compress(b'id,name\n1,"a"\n2,\n', mtime=0)),
    ],
)
def test_text_files(tmp_path: Path, name: str, data: bytes | str) -> None:
    batch = read(write(tmp_path, name, data))

    assert batch.frame.select("id", "name").equals(FRAME)
    assert batch.rejected == ()


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.feather", "a.ipc", "stream.arrow"])
def test_files_of_columns(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.parquet":
        FRAME.write_parquet(path)
    elif name == "stream.arrow":
        FRAME.write_ipc_stream(path)
    else:
        FRAME.write_ipc(path)

    assert read(path).frame.select("id", "name").equals(FRAME)


def test_standard_input() -> None:
    records = read_files(["-"], stdin=io.BytesIO(b'{"id":1}\n\n{"id":2}'))

    assert normalize(records, format="rows", settings=Settings(key=("id",))).frame["id"].to_list() == [1, 2]


def test_one_broken_line_costs_one_line(tmp_path: Path) -> None:
    lines = [json.dumps({"id": number}) for number in range(1, 11)]
    lines[6] = '{"id": 7,'

    batch = read(write(tmp_path, "a.jsonl", "\n".join(lines)))

    assert batch.frame["id"].to_list() == [1, 2, 3, 4, 5, 6, 8, 9, 10]
    assert problems(batch) == [(6, 7, "bad_json")]
    assert batch.rejected[0].raw == b'{"id": 7,'


def test_lines_are_counted_as_the_file_has_them(tmp_path: Path) -> None:
    batch = read(write(tmp_path, "a.jsonl", b'\n\n{"id":1}\n\n"x\xff"\n{"id":null}\n'))

    assert problems(batch) == [(1, 5, "bad_json"), (2, 6, "null_key")]


def test_an_object_in_several_lines_is_one_record(tmp_path: Path) -> None:
    assert read(write(tmp_path, "a.json", '{\n "id": 1\n}\n')).frame["id"].to_list() == [1]


def test_numbers_keep_their_digits(tmp_path: Path) -> None:
    big = 123456789012345678901234567890

    for name, data in {
        "a.jsonl": f'{{"id":{big}}}',
        "a.json": f'[{{"id":{big}}}]',
        "a.csv": f"id\n{big}\n",
    }.items():
        assert read(write(tmp_path, name, data)).frame["id"].to_list() == [Decimal(big)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.arrow"])
def test_an_empty_file_is_an_empty_batch(tmp_path: Path, name: str) -> None:
    assert read(write(tmp_path, name, b"")).total == 0


def test_a_csv_with_names_only_is_an_empty_batch(tmp_path: Path) -> None:
    batch = read(write(tmp_path, "a.csv", "id,name\n"))

    assert (batch.total, batch.columns) == (0, ("id", "name"))


def test_the_types_of_a_csv(tmp_path: Path) -> None:
    lines = [
        "id,zip,price,ok,note,none,mixed,big",
        "1,00701,1.5,true,x,,1,12345678901234567890",
        "2,10115,2,FALSE,,,x,1",
    ]

    frame = read(write(tmp_path, "a.csv", "\n".join(lines))).frame

    assert frame.drop("__op", ORDINAL).to_dicts() == [
        {
            "id": 1,
            "zip": "00701",
            "price": 1.5,
            "ok": True,
            "note": "x",
            "none": None,
            "mixed": "1",
            "big": Decimal(12345678901234567890),
        },
        {
            "id": 2,
            "zip": "10115",
            "price": 2.0,
            "ok": False,
            "note": None,
            "none": None,
            "mixed": "x",
            "big": Decimal(1),
        },
    ]
    assert frame["none"].dtype == pl.Null


def test_whole_numbers_that_a_floating_number_would_change_stay_text(tmp_path: Path) -> None:
    frame = read(write(tmp_path, "a.csv", "id,x\n1,9007199254740993\n2,1.5\n")).frame

    assert frame["x"].to_list() == ["9007199254740993", "1.5"]


def test_declared_columns_of_a_csv_cost_only_the_row_that_does_not_fit(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id,n,zip\n1,5,1\n2,many,2\n3,7,3\n")

    batch = read(path, types={"n": "long", "zip": "string"})

    assert batch.frame.select("id", "n", "zip").rows() == [(1, 5, "1"), (3, 7, "3")]
    assert problems(batch) == [(1, 3, "bad_value")]


@pytest.mark.parametrize("quoted", [False, True])
def test_broken_lines_of_a_csv_cost_only_themselves(tmp_path: Path, quoted: bool) -> None:
    name = '"a,\nb"' if quoted else "a"
    text = f"id,name\n1,{name}\n2\n\n3,x,y\n4,z\n"
    shift = 1 if quoted else 0

    batch = read(write(tmp_path, "a.csv", text))

    assert batch.frame.select("id", "name").rows() == [(1, name.strip('"')), (4, "z")]
    assert problems(batch) == [(1, 3 + shift, "bad_csv"), (2, 5 + shift, "bad_csv")]
    assert batch.rejected[0].raw == b"2"


def test_a_quote_that_never_closes_costs_its_line(tmp_path: Path) -> None:
    batch = read(write(tmp_path, "a.csv", 'id,name\n1,"a\n2,b\n3,"c"\n'))

    assert batch.frame.select("id", "name").rows() == [(2, "b"), (3, "c")]
    assert problems(batch) == [(0, 2, "bad_csv")]


def test_a_csv_full_of_open_quotes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="never closed"):
        read(write(tmp_path, "a.csv", "id,name\n" + '1,"a\n' * 301))


def test_a_line_that_is_no_utf8_costs_itself(tmp_path: Path) -> None:
    batch = read(write(tmp_path, "a.csv", b"id,name\n1,\xff\n2,b\n"))

    assert batch.frame["id"].to_list() == [2]
    assert problems(batch) == [(0, 2, "bad_csv")]


@pytest.mark.parametrize("header", ["id,id", "id,", ","])
def test_a_csv_without_a_name_for_each_column_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(DataError, match="does not name its columns"):
        read(write(tmp_path, "a.csv", f"{header}\n1,2\n"))


def test_several_files_are_one_batch_in_order(tmp_path: Path) -> None:
    first = write(tmp_path, "a.jsonl", '{"id":1}\nbroken\n')
    second = write(tmp_path, "b.csv", "id,name\n2,x\n")
    third = tmp_path / "c.parquet"
    FRAME.write_parquet(third)

    batch = read(first, second, third)

    assert batch.frame.select("id", "name", ORDINAL).rows() == [
        (1, None, 0),
        (2, "x", 2),
        (1, "a", 3),
        (2, None, 4),
    ]
    assert batch.frame[absence("name")].to_list() == [True, False, False, False]
    assert problems(batch) == [(1, 2, "bad_json")]


def test_several_files_of_the_same_columns(tmp_path: Path) -> None:
    first = write(tmp_path, "a.csv", "id,name\n1,a\n2\n")
    second = write(tmp_path, "b.csv", "name,id\nb,3\nc\n")
    columns = tmp_path / "c.parquet"
    FRAME.write_parquet(columns)

    texts = read(first, second)
    tables = read(columns, columns)

    assert texts.frame.select("id", "name", ORDINAL).rows() == [(1, "a", 0), (3, "b", 2)]
    assert problems(texts) == [(1, 3, "bad_csv"), (3, 3, "bad_csv")]
    assert tables.frame["id"].to_list() == [1, 2, 1, 2]


def test_a_csv_with_other_columns_keeps_what_was_broken(tmp_path: Path) -> None:
    first = write(tmp_path, "a.csv", "id,name\n1,a\n2\n")
    second = write(tmp_path, "b.csv", "id\n3\n")

    batch = read(first, second)

    assert batch.frame["id"].to_list() == [1, 3]
    assert [(item.reason, item.raw) for item in batch.rejected] == [("bad_csv", b"2")]


def test_files_whose_columns_contradict_each_other_are_refused(tmp_path: Path) -> None:
    FRAME.write_parquet(tmp_path / "a.parquet")
    FRAME.with_columns(name=pl.lit([1])).write_parquet(tmp_path / "b.parquet")

    with pytest.raises(DataError, match="don't go together"):
        read(tmp_path / "a.parquet", tmp_path / "b.parquet")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no file"):
        read(tmp_path / "a.jsonl")


@pytest.mark.parametrize("name", ["a.txt", "a", "a.parquet.gz", "a.gz"])
def test_a_file_of_unknown_kind(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="can't be told from its name"):
        read(write(tmp_path, name, b"x"))


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.jsonl.gz", "a.csv.gz"])
def test_a_file_that_can_not_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"can't be read"):
        read(write(tmp_path, name, b"ARROW1nonsense"))


def test_a_cut_archive(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"can't be read"):
        read(write(tmp_path, "a.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)[:-9]))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").mkdir()

    with pytest.raises(UsageError, match=r"a\.jsonl is a folder"):
        read(tmp_path / "a.jsonl")


def test_a_broken_array_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="begins as a JSON array"):
        read(write(tmp_path, "a.json", '[{"id":1},\n{"id":'))


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet", "arrow"])
@pytest.mark.parametrize("by", ["name", "stdin"])
def test_what_is_in_it_can_be_said(tmp_path: Path, kind: FileKind, by: str) -> None:
    content = io.BytesIO()
    if kind == "parquet":
        FRAME.write_parquet(content)
    elif kind == "arrow":
        FRAME.write_ipc(content)
    else:
        content.write(b"id,name\n1,a\n2,\n" if kind == "csv" else LINES.encode())
    data = content.getvalue()
    path = write(tmp_path, "part-0007", data)
    where: list[str | Path] = [path] if by == "name" else ["-"]
    records = read_files(where, kind=kind, stdin=io.BytesIO(data))
    batch = normalize(records, format="rows", settings=Settings(key=("id",), types={}))
    assert batch.frame.select("id", "name").equals(FRAME)
