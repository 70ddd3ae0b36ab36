"""In Parquet files a needle is found wherever it can be, and short ones only where they identify."""

from __future__ import annotations

import datetime as dt
import json
import struct
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse.requests.needles import Needle
from lakehouse.requests.search.forms import plain
from tests.unit.requests.search.planted import MAIL, SHORT, look, places

OTHERS = [f"somebody{number}@example.net" for number in range(1000)]


def write(folder: Path, columns: dict[str, Any], **options: Any) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "part-0.parquet"
    pq.write_table(pa.table(columns), file, **options)
    return file


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    write(tmp_path, {"id": list(range(4000)), "email": [OTHERS[at % 1000] for at in range(4000)]})
    report = look(tmp_path)
    assert report.clean
    assert report.hits == ()
    assert report.total.rows == 4000
    assert report.total.objects == 1
    assert report.total.bytes == (tmp_path / "part-0.parquet").stat().st_size


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_a_value_in_a_page_is_found(tmp_path: Path, compression: str, version: str, dictionary: bool) -> None:
    values = [*OTHERS, MAIL, *OTHERS]
    write(
        tmp_path,
        {"email": values, "text": [*["-"] * 1500, f"write to <{MAIL}>!", *["-"] * 500]},
        compression=compression,
        data_page_version=version,
        use_dictionary=dictionary,
        write_statistics=False,
    )
    found = places(look(tmp_path))
    assert {("email", "column email"), ("email", "column text")} <= found


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_a_value_in_a_delta_encoded_page_is_found(tmp_path: Path, encoding: str) -> None:
    values = sorted([*OTHERS, MAIL, MAIL[:-1] + "x"])
    write(tmp_path, {"email": values}, use_dictionary=False, column_encoding=encoding)
    assert ("email", "column email") in places(look(tmp_path))


def test_numbers_are_found_only_in_the_columns_that_identify(tmp_path: Path) -> None:
    write(tmp_path / "a", {"id": [1, int(SHORT)], "other": [0, 0]}, write_statistics=False)
    write(tmp_path / "b", {"id": [1, 2], "other": [int(SHORT), 0], "text": [SHORT, f"a {SHORT} b"]})
    assert ("id", "column id") in places(look(tmp_path / "a"))
    assert look(tmp_path / "b").clean


@pytest.mark.parametrize(
    ("value", "array"),
    [
        ("4711", pa.array([1, 4711], pa.int16())),
        ("4711", pa.array([1.5, 4711.0])),
        ("4711", pa.array(["1", "4711"])),
        ("4711", pa.array(["1", " 4711  "])),
        ("4711", pa.array([Decimal("1.25"), Decimal("4711.00")])),
        ("4711", pa.array([b"1", b"4711"])),
        ("Ann", pa.array(["bob", "ANN"])),
        ("1990-02-03", pa.array([None, dt.date(1990, 2, 3)])),
        ("4711", pa.array([1, 4711]).dictionary_encode()),
        ("4711", pa.array(["1", "4711"]).dictionary_encode()),
        ("4711", pa.array([[1, 2], [3, 4711]])),
        ("4711", pa.array([{"x": 1}, {"x": 4711}])),
    ],
    ids=str,
)
def test_values_are_compared_as_what_they_are(tmp_path: Path, value: str, array: pa.Array) -> None:
    column = "id.x" if pa.types.is_struct(array.type) else "id[]" if pa.types.is_list(array.type) else "id"
    write(tmp_path, {"id": array, "more": pa.array([None, None])}, write_statistics=False, store_schema=False)
    needle = Needle("r1", "id", value, (("people", column),))
    assert [hit for hit in look(tmp_path, needles=[needle]).hits if hit.place.startswith("column")]
    near = Needle("r1", "id", value.replace("1", "2").replace("nn", "n"), (("people", column),))
    assert look(tmp_path, needles=[near]).clean


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[{"a": [MAIL]}], None]),
        pa.array([[("k", MAIL)], []], pa.map_(pa.string(), pa.string())),
        pa.array([[(MAIL, "v")], []], pa.map_(pa.string(), pa.string())),
        pa.array([MAIL.encode(), b"\xff\xfe"]),
        pa.array(["x", MAIL.upper()], pa.string_view()),
        pa.array(["x", json.dumps({"a": "b", "email": MAIL})]),
        pa.array(["x", f"mailto:{MAIL.replace('@', '%40')}?subject=x"]),
        pa.array([MAIL.encode("utf-16-le"), b"\0"]),
        pa.array([[MAIL, None]], pa.list_(pa.string(), 2)),
    ],
    ids=lambda array: str(array.type),
)
def test_a_value_is_found_however_deep(tmp_path: Path, column: pa.Array) -> None:
    write(tmp_path, {"c": column}, write_statistics=False)
    assert [hit for hit in look(tmp_path).hits if hit.place.startswith("column c")]


def test_a_value_in_statistics_alone_is_found(tmp_path: Path) -> None:
    file = write(
        tmp_path, {"id": [4711, 9000], "email": ["anna", MAIL]}, use_dictionary=False, compression="none"
    )
    data = file.read_bytes()
    # The page loses the person, the statistics keep what they say.
    in_page = len(MAIL).to_bytes(4, "little") + MAIL.encode()
    file.write_bytes(data.replace(in_page, in_page.replace(b"needle", b"spoons")))
    found = places(look(tmp_path))
    assert ("email", "statistics of column email") in found
    assert ("id", "statistics of column id") in found
    assert ("email", "column email") not in found


def test_a_value_in_the_page_index_alone_is_found(tmp_path: Path) -> None:
    file = write(
        tmp_path, {"email": ["a", MAIL]}, use_dictionary=False, write_page_index=True, compression="none"
    )
    data = file.read_bytes()
    # All but the copy in the page index: it lies between the pages and the footer.
    footer = len(data) - 8 - struct.unpack("<I", data[-8:-4])[0]
    ends = [at for at in range(len(data)) if data.startswith(MAIL.encode(), at)]
    index = [at for at in ends if at < footer][-1]
    for at in ends:
        if at != index:
            data = data[:at] + b"x" * len(MAIL) + data[at + len(MAIL) :]
    file.write_bytes(data)
    assert places(look(tmp_path)) == {("email", "statistics of column email")}


def test_a_statistic_that_was_cut_off_is_found(tmp_path: Path) -> None:
    long = "a-very-long-address-of-somebody@a-long-domain.example.org"
    folder = tmp_path / "_delta_log"
    folder.mkdir()
    cut, raised = long[:32], long[:31] + "b"
    needle = Needle("r1", "email", long, (("people", "email"),))
    for text in (cut, raised):
        add = {"path": "a", "stats": json.dumps({"maxValues": {"email": text}})}
        (folder / "00000000000000000000.json").write_text(json.dumps({"add": add}))
        assert places(look(tmp_path, needles=[needle])) == {("email", "add.stats.maxValues.email")}


def test_a_value_that_only_the_dictionary_has_is_found(tmp_path: Path) -> None:
    file = write(
        tmp_path, {"email": ["bbbbbb", MAIL]}, compression="none", write_statistics=False, store_schema=False
    )
    data = file.read_bytes()
    # The data page names the entries by bit-packed numbers: 0 and 1, in one byte; both become 0.
    at = data.index(MAIL.encode()) + len(MAIL)
    end = data.rindex(b"schema") - 100
    packed = data.index(bytes([1, 3, 2]), at, end)
    file.write_bytes(data[: packed + 2] + b"\0" + data[packed + 3 :])
    assert pq.read_table(file)["email"].to_pylist() == ["bbbbbb", "bbbbbb"]
    assert places(look(tmp_path)) == {("email", "dictionary of column email")}


def test_a_number_that_only_the_dictionary_has_is_found(tmp_path: Path) -> None:
    file = write(tmp_path, {"id": [7, 4711]}, compression="none", write_statistics=False, store_schema=False)
    data = file.read_bytes()
    at = data.index((4711).to_bytes(8, "little"))
    packed = data.index(bytes([1, 3, 2]), at)
    file.write_bytes(data[: packed + 2] + b"\0" + data[packed + 3 :])
    assert pq.read_table(file)["id"].to_pylist() == [7, 7]
    assert places(look(tmp_path)) == {("id", "dictionary of column id")}


def test_key_value_metadata_is_searched(tmp_path: Path) -> None:
    tmp_path.mkdir(exist_ok=True)
    field = pa.field("a", pa.int64(), metadata={"comment": f"for {MAIL}"})
    pq.write_table(pa.table([[1]], schema=pa.schema([field])), tmp_path / "one.parquet")
    schema = pa.schema([pa.field("a", pa.int64())], metadata={"note": json.dumps({"by": MAIL})})
    pq.write_table(pa.table([[1]], schema=schema), tmp_path / "two.parquet")
    report = look(tmp_path)
    assert {hit.path for hit in report.hits} == {"people/one.parquet", "people/two.parquet"}
    assert {hit.place.removesuffix(" …") for hit in report.hits} == {"key-value metadata"}


def test_bytes_between_pages_and_footer_are_searched(tmp_path: Path) -> None:
    file = write(tmp_path, {"a": [1, 2]})
    data = file.read_bytes()
    length = struct.unpack("<I", data[-8:-4])[0]
    footer = len(data) - 8 - length
    file.write_bytes(data[:footer] + b"\0" * 100 + MAIL.encode() + b"\0" * 100 + data[footer:])
    assert pq.read_table(file)["a"].to_pylist() == [1, 2]
    assert places(look(tmp_path)) == {("email", "bytes between pages")}
    file.write_bytes(data[:footer] + b"\0" * 100_000 + data[footer:])
    assert look(tmp_path).clean


def test_a_damaged_file_is_told_and_searched_as_bytes(tmp_path: Path) -> None:
    file = write(tmp_path, {"email": OTHERS}, compression="none")
    data = file.read_bytes()
    file.write_bytes(data[:-4] + b"XXXX")
    report = look(tmp_path)
    assert not report.clean
    assert [each.reason for each in report.not_searched] == ["the file has no Parquet footer"]
    file.write_bytes(MAIL.encode() + data[:-4] + b"XXXX")
    assert ("email", "bytes") in places(look(tmp_path))
    # A page that can't be unpacked.
    write(tmp_path, {"email": OTHERS}, compression="zstd", use_dictionary=False)
    data = file.read_bytes()
    at = data.index(b"\x28\xb5\x2f\xfd")
    file.write_bytes(data[:at] + b"\0\0\0\0" + data[at + 4 :])
    report = look(tmp_path)
    assert not report.clean
    assert report.not_searched[0].path == "people/part-0.parquet"


def test_an_encrypted_file_is_told(tmp_path: Path) -> None:
    file = write(tmp_path, {"email": OTHERS})
    file.write_bytes(file.read_bytes()[:-4] + b"PARE")
    assert [each.reason for each in look(tmp_path).not_searched] == ["the file is encrypted"]


def test_files_of_polars_are_searched(tmp_path: Path) -> None:
    frame = pl.DataFrame({"id": [4711, 2], "email": [MAIL, "x"], "many": [["a", MAIL], []]})
    frame.write_parquet(tmp_path / "a.parquet")
    found = places(look(tmp_path))
    assert {("id", "column id"), ("email", "column email"), ("email", "column many")} <= found


def test_somebody_else_is_not_the_person(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"email": [f"johanna{MAIL[4:]}", f"x.{MAIL}", f"{MAIL}.au", f"jo{MAIL}", "4711", "14711"]},
    )
    report = look(tmp_path)
    assert report.clean
    assert report.inside > 0


def test_long_numbers_are_whole_numbers(tmp_path: Path) -> None:
    needle = Needle("r1", "phone", "4917012345678")
    write(tmp_path, {"a": ["14917012345678", "49170123456789"]})
    assert look(tmp_path, needles=[needle]).clean
    write(tmp_path, {"a": ["call +4917012345678 now", "004917012345678"]}, use_dictionary=False)
    report = look(tmp_path, needles=[needle])
    assert [hit.count for hit in report.hits if hit.place == "column a"] == [2]


def test_a_uuid_is_found_as_text_and_as_bytes(tmp_path: Path) -> None:
    value = uuid.UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
    needle = Needle("r1", "uuid", str(value))
    write(
        tmp_path,
        {"a": [str(value).upper()], "b": pa.array([value.bytes], pa.binary(16)), "c": [value.bytes]},
        write_statistics=False,
    )
    found = {hit.place for hit in look(tmp_path, needles=[needle]).hits}
    assert {"column a", "column b", "column c"} <= found


def test_dates_and_decimals_in_statistics_alone_are_found(tmp_path: Path) -> None:
    born, owed = dt.date(1990, 2, 3), Decimal("4711.50")
    file = write(
        tmp_path, {"id": [born, born], "sum": [owed, owed]}, compression="none", use_dictionary=False
    )
    needles = [
        Needle("r1", "born", "1990-02-03", (("people", "id"),)),
        Needle("r1", "owed", "4711.5", (("people", "sum"),)),
    ]
    found = places(look(tmp_path, needles=needles))
    assert found >= {("born", "statistics of column id"), ("owed", "statistics of column sum")}
    assert file.exists()


def test_nothing_is_no_identifier_and_no_bytes_are_no_file(tmp_path: Path) -> None:
    write(tmp_path, {"id": ["", " ", None], "email": ["", "", ""]})
    (tmp_path / "empty.parquet").write_bytes(b"")
    (tmp_path / "empty.json").write_bytes(b"")
    assert look(tmp_path, needles=[Needle("r1", "id", " ", (("people", "id"),))]).clean


def test_a_bloom_filter_is_told_and_fails_nothing(tmp_path: Path) -> None:
    pl.DataFrame({"email": ["a", "b"]}).write_parquet(tmp_path / "a.parquet")
    options = {"bloom_filter_options": {"email": True}}
    try:
        write(tmp_path, {"email": ["a", "b"]}, **options)
    except TypeError:
        pytest.fail("this pyarrow writes no Bloom filters")
    report = look(tmp_path)
    assert report.clean
    assert [each.limit for each in report.not_searched] == [True]


signs = st.text(st.sampled_from("ab1@.-_ äÄß\\\"/%'"), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=signs.filter(lambda text: len(text.strip()) >= 6 and not text.isdigit()).map(str.strip),
    others=st.lists(signs, max_size=30),
    at=st.integers(0, 30),
    options=st.fixed_dictionaries(
        {
            "use_dictionary": st.booleans(),
            "compression": st.sampled_from(["none", "snappy", "zstd"]),
            "write_statistics": st.booleans(),
            "row_group_size": st.integers(1, 20),
            "data_page_version": st.sampled_from(["1.0", "2.0"]),
        }
    ),
    around=st.sampled_from([("", ""), (" ", " "), ("(", ")"), ("x\n", "\ty")]),
    change=st.sampled_from([str, str.upper, str.lower]),
)
def test_a_person_is_found_in_any_file_and_any_words(
    tmp_path: Path,
    value: str,
    others: list[str],
    at: int,
    options: dict[str, Any],
    around: tuple[str, str],
    change: Callable[[str], str],
) -> None:
    needle = Needle("r1", "name", value)
    if not needle.anywhere:
        return
    values = [*others[:at], around[0] + change(value) + around[1], *others[at:]]
    write(tmp_path, {"a": values}, **options)
    assert ("name", "column a") in places(look(tmp_path, needles=[needle]))
    rest = [other for other in others if plain(value) not in plain(other)] or ["-"]
    write(tmp_path, {"a": rest}, **options)
    assert look(tmp_path, needles=[needle]).hits == ()
