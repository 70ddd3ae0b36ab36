"""In commits, notes, packed files and names a needle is found however it is written."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import polars as pl
import pytest

from lakehouse.pii.executor import Here
from lakehouse.requests.needles import Needle
from lakehouse.requests.search import Folder, SearchReport, StateDatabase, search
from lakehouse.requests.search import documents as module
from lakehouse.storage import open_storage
from tests.unit.requests.search.planted import MAIL, PERSON, SHORT, look, places

NAME = 'Jürgen "Jay" Müller/Österreich'
NAMED = (Needle("r1", "name", NAME, (("people", "name"),)),)

WRITERS: list[tuple[str, Callable[[str], str]]] = [
    ("as it is", str),
    ("capitals", str.upper),
    ("small", str.lower),
    ("json", lambda text: json.dumps({"a": text})),
    ("json without ascii", lambda text: json.dumps({"a": text}, ensure_ascii=False)),
    ("json twice", lambda text: json.dumps({"a": json.dumps({"b": text})})),
    ("json in a line that is none", lambda text: "x " + json.dumps(json.dumps({"b": text}))),
    ("slashes", lambda text: json.dumps(text).replace("/", "\\/")),
    ("every sign escaped", lambda text: '"' + "".join(f"\\u{ord(sign):04X}" for sign in text) + '"'),
    ("percents", lambda text: quote(text, safe="")),
    ("percents twice", lambda text: quote(quote(text, safe=""), safe="")),
    ("decomposed", lambda text: text.replace("ü", "u\u0308").replace("Ö", "O\u0308")),
]


@pytest.mark.parametrize("write", [each for _, each in WRITERS], ids=[name for name, _ in WRITERS])
@pytest.mark.parametrize("packed", [False, True])
def test_a_name_is_found_however_it_is_written(
    tmp_path: Path, write: Callable[[str], str], packed: bool
) -> None:
    data = f"one\n{write(NAME)}\n".encode()
    (tmp_path / ("a.json.gz" if packed else "a.txt")).write_bytes(gzip.compress(data) if packed else data)
    assert look(tmp_path, needles=NAMED).hits


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_name_in_other_bytes_is_found(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "deletion_vector_1.bin").write_bytes(b"\x01\xff\x00" + NAME.encode(encoding) + b"\xfe")
    assert places(look(tmp_path, needles=NAMED)) == {("name", "bytes")}


def commit(folder: Path, *actions: object) -> None:
    log = folder / "_delta_log"
    log.mkdir(exist_ok=True)
    text = "\n".join(json.dumps(action) for action in actions)
    (log / "00000000000000000000.json").write_text(text)


def test_places_in_a_commit_are_told(tmp_path: Path) -> None:
    stats = {"minValues": {"id": 4711, "email": MAIL}, "maxValues": {"id": 9000, "email": "z"}}
    commit(
        tmp_path,
        {"commitInfo": {"operationParameters": {"predicate": f"email = '{MAIL}' AND id = {SHORT}"}}},
        {"add": {"path": "a", "stats": json.dumps(stats), "partitionValues": {"id": SHORT}}},
    )
    assert places(look(tmp_path)) == {
        ("email", "commitInfo.operationParameters.predicate"),
        ("id", "commitInfo.operationParameters.predicate"),
        ("email", "add.stats.minValues.email"),
        ("id", "add.stats.minValues.id"),
        ("id", "add.partitionValues.id"),
    }


def test_short_numbers_elsewhere_in_a_commit_are_nobody(tmp_path: Path) -> None:
    stats = {"numRecords": 4711, "minValues": {"other": 4711}, "nullCount": {"email": 3}}
    commit(
        tmp_path,
        {"commitInfo": {"timestamp": 4711, "operationParameters": {"predicate": f"other = {SHORT}"}}},
        {"add": {"path": "a", "size": 4711, "stats": json.dumps(stats), "partitionValues": {"x": SHORT}}},
    )
    assert look(tmp_path).clean


def test_names_of_columns_that_are_mapped_are_understood(tmp_path: Path) -> None:
    commit(tmp_path, {"add": {"path": "a", "stats": json.dumps({"minValues": {"col-1": 4711}})}})
    place = Folder(storage=open_storage(tmp_path), table="people", names={"col-1": "id"})
    assert places(search([place], PERSON, executor=Here())) == {("id", "add.stats.minValues.id")}


@pytest.mark.parametrize(
    ("folder", "identifier"),
    [
        (f"email={MAIL}", "email"),
        (f"email={quote(MAIL, safe='')}", "email"),
        (f"email={quote(quote(MAIL, safe=''), safe='')}", "email"),
        (f"id={SHORT}", "id"),
        (f"export-{MAIL}.csv", "email"),
    ],
)
def test_names_of_objects_are_searched_and_never_shown(tmp_path: Path, folder: str, identifier: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "part-1.bin").write_bytes(b"\0")
    (tmp_path / "id=81472").mkdir()
    (tmp_path / "id=81472" / "part-2.bin").write_bytes(b"\0")
    report = look(tmp_path)
    assert places(report) == {(identifier, "name of the object")}
    for secret in (MAIL, SHORT, "81472", quote(MAIL, safe="")):
        assert secret not in repr(report)


def test_records_of_a_quarantine_are_read_as_json(tmp_path: Path) -> None:
    records = ['{"id": 4711, "qty": 1}', '{"id": 2, "qty": 4711}', "no json", None]
    pl.DataFrame({"_raw": records}).write_parquet(tmp_path / "a.parquet")
    place = Folder(storage=open_storage(tmp_path), table="people__quarantine", like=("people",), records=True)
    report = search([place], PERSON, executor=Here())
    assert [(hit.identifier, hit.count) for hit in report.hits] == [("id", 1)]


def test_a_find_across_the_pieces_of_a_large_object_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PIECE", 64)
    monkeypatch.setattr(module, "_OVERLAP", 40)
    monkeypatch.setattr(module, "_WHOLE", 100)
    for at in range(0, 140, 3):
        (tmp_path / "a.txt").write_bytes(b"- " * at + MAIL.encode() + b" -" * 100)
        assert look(tmp_path).hits, at
        (tmp_path / "a.txt").write_bytes(gzip.compress(b"- " * at + MAIL.encode() + b" -" * 100))
        assert look(tmp_path).hits, at


def test_a_packed_object_that_is_damaged_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"x" * 10_000)[:-20])
    assert not look(tmp_path).clean
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8b" + b"x" * 100)
    assert not look(tmp_path).clean


def state(file: Path) -> SearchReport:
    return search([StateDatabase(url=f"sqlite:///{file}")], PERSON, executor=Here())


@pytest.mark.parametrize("head", [b"\x28\xb5\x2f\xfd", b"BZh9", b"PK\x03\x04", b"Obj\x01", b"ORC"])
def test_what_is_packed_in_a_way_that_is_not_read_is_told(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "a.bin").write_bytes(head + b"\xff\x00" * 40)
    (missing,) = look(tmp_path).not_searched
    assert (missing.path, missing.limit) == ("people/a.bin", True)


def test_every_cell_of_the_state_database_is_searched(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE notes (a TEXT, b BLOB, c JSON, d INTEGER)")
        connection.execute("INSERT INTO notes VALUES ('x', x'00', '{}', 4711)")
    connection.close()
    report = state(file)
    assert report.clean
    assert report.total.rows == 1
    for column, value in (("a", MAIL), ("b", MAIL.encode()), ("c", json.dumps({"x": [MAIL]}))):
        with sqlite3.connect(file) as connection:
            connection.execute(f"UPDATE notes SET {column} = ?", (value,))
        connection.close()
        found = {(hit.path, hit.place.split(" …")[0]) for hit in state(file).hits}
        assert ("state database: notes", f"column {column}") in found
        # SQLite keeps what was there in its file until it is written over.
        with sqlite3.connect(file) as connection:
            connection.execute(f"UPDATE notes SET {column} = 'x'")
        connection.execute("VACUUM")
        connection.close()
        assert state(file).clean


def test_bytes_that_a_database_has_forgotten_are_found(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("CREATE TABLE notes (a TEXT)")
        connection.execute("INSERT INTO notes VALUES (?)", (MAIL,))
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("DELETE FROM notes")
    connection.close()
    assert {hit.path for hit in state(file).hits} == {"state database: state.db"}


def test_a_database_that_is_not_there_is_nothing(tmp_path: Path) -> None:
    assert state(tmp_path / "none.db").total.objects == 0
    (tmp_path / "bad.db").write_bytes(b"no database" * 1000)
    assert not state(tmp_path / "bad.db").clean


def test_a_number_of_rows_is_not_taken_for_a_short_identifier(tmp_path: Path) -> None:
    (tmp_path / "_delta_log").mkdir()
    commit = {"add": {"path": "a", "stats": '{"numRecords": 3, "nullCount": {"id": 3}}'}}
    (tmp_path / "_delta_log" / f"{0:020}.json").write_text(json.dumps(commit))
    place = Folder(storage=open_storage(tmp_path), table="people")
    assert not places(search([place], [Needle("r", "id", "3", (("people", "id"),))], executor=Here()))
