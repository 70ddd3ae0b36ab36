"""What somebody types on the first day, and what comes back."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
Write = Callable[..., str]

HERE = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
"""Processes run this checkout, whatever is installed."""


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM customers WHERE id = 1",
        "drop table customers",
        "\n-- clean up\nTRUNCATE TABLE customers",
        "CREATE TABLE copy AS SELECT * FROM customers",
    ],
)
def test_sql_that_is_no_question_is_not_answered_as_if_it_were_done(shop: Run, query: str) -> None:
    answer = shop("sql", query)
    assert answer.code == 2
    assert answer.out == ""
    assert "SQL only reads" in answer.err


@pytest.mark.parametrize(
    "query",
    [
        "select count(*) as n from customers",
        "\n-- how many?\n(SELECT count(*) AS n FROM customers)",
        "/* all */ WITH c AS (SELECT * FROM customers) SELECT count(*) AS n FROM c",
    ],
)
def test_sql_that_asks_is_answered(shop: Run, query: str) -> None:
    assert shop("--json", "sql", query).document["rows"] == [{"n": 2}]


def test_sql_that_does_not_fit_the_rows_shows_none_of_them(shop: Run) -> None:
    answer = shop("sql", "SELECT CAST(email AS INT) FROM customers")
    assert answer.code == 2
    assert "does not fit the rows" in answer.err
    assert "TRY_CAST" in answer.err
    assert "shop.example" not in answer.err


@pytest.mark.parametrize(
    "words",
    [
        ["read", "customers", "--columns", "nam"],
        ["read", "customers", "--where", "nam = 'Ada'"],
        ["read", "customers", "--order-by", "nam"],
    ],
)
def test_a_column_that_is_not_there_is_named_beside_those_that_are(
    shop: Run, write: Write, words: list[str]
) -> None:
    # A partial change makes a control column, which nobody needs to know of.
    assert (
        shop("merge", "customers", write("part.jsonl", {"id": 1, "updated_at": "2026-02-01T00:00:00Z"})).code
        == 0
    )
    answer = shop(*words)
    assert answer.code == 2
    assert "customers" in answer.err
    assert "nam" in answer.err
    assert "its columns are: id, name, email, updated_at\n" in answer.err
    assert "_cells" not in answer.err


def test_a_tag_can_not_be_taken_for_a_version(shop: Run) -> None:
    answer = shop("tag", "customers", "2")
    assert answer.code == 2
    assert "v2" in answer.err


def test_a_number_that_is_none_is_told_plainly(shop: Run) -> None:
    assert "'two' is not a valid whole number" in shop("read", "customers", "--version", "two").err


def test_rows_are_not_written_as_text_into_a_file_of_another_kind(shop: Run) -> None:
    answer = shop("read", "customers", "--output", "rows.xlsx")
    assert answer.code == 2
    assert "--format" in answer.err
    assert not Path("rows.xlsx").exists()
    assert shop("read", "customers", "--output", "rows.txt").code == 0


@pytest.mark.parametrize(
    ("name", "content", "code", "says"),
    [
        ("a.csv", b"id;name\n1;Ada\n", 1, "separated by semicolons"),
        ("a.csv", b"id\tname\n1\tAda\n", 1, "separated by tabs"),
        ("a.csv", b"id,name,updated_at\n1,Zo\xeb,2026-01-01T00:00:00Z\n", 1, "the line is not UTF-8"),
        ("a.parquet", b"", 1, "a.parquet is empty"),
        ("a.parquet", b"id,name\n", 1, "can't be read as Parquet"),
        ("a.jsonl.gz", b"{}\n", 1, "can't be read as gzip"),
        ("a.xlsx", b"PK", 2, "can't be told from its name"),
    ],
)
def test_a_file_that_can_not_be_merged_says_why(
    run: Run, name: str, content: bytes, code: int, says: str
) -> None:
    Path(name).write_bytes(content)
    answer = run("merge", "customers", name)
    assert answer.code == code
    assert says in answer.out + answer.err
    assert "internal error" not in answer.err


def test_a_folder_of_changes_is_told_to_be_one(run: Run) -> None:
    Path("days").mkdir()
    answer = run("merge", "customers", "days")
    assert answer.code == 2
    assert "days is a folder" in answer.err


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.json"])
def test_an_empty_file_has_no_records(shop: Run, name: str) -> None:
    Path(name).write_bytes(b"")
    answer = shop("merge", "customers", name)
    assert answer.code == 0
    assert "there are no records to merge; nothing was written" in answer.out


def test_the_rest_of_a_batch_is_counted_in_words(run: Run, write: Write) -> None:
    file = write("a.jsonl", {"id": 1, "updated_at": "2026-01-01T00:00:00Z"}, b"{")
    assert (
        "1 of 2 records was rejected and kept in customers__quarantine; the other one is merged"
        in run("merge", "customers", file).err
    )


def test_options_of_the_storage_are_part_of_the_check(run: Run) -> None:
    Path("lakehouse.yaml").write_text(
        "version: 1\nname: shop\nstorage: {root: s3://bucket/lake, options: {reigon: eu-central-1}}\n"
    )
    answer = run("config", "check")
    assert answer.code == 2
    assert "did you mean `region`?" in answer.err


def lakehouse(*words: str, **how: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "lakehouse", *words],
        capture_output=True,
        check=False,
        timeout=120,
        env=HERE,
        **how,
    )


def test_gzip_through_a_pipe(run: Run, write: Write) -> None:
    file = write("a.jsonl", {"id": 1, "updated_at": "2026-01-01T00:00:00Z"})
    done = lakehouse("--json", "merge", "customers", "-", input=gzip.compress(Path(file).read_bytes()))
    assert done.returncode == 0, done.stderr
    assert b'"inserted":1' in done.stdout


def test_columns_through_a_pipe_are_refused(run: Run) -> None:
    done = lakehouse("merge", "customers", "-", input=b"PAR1....PAR1")
    assert done.returncode == 2
    assert b"Parquet or Arrow" in done.stderr


@pytest.mark.parametrize("format_", ["table", "csv", "jsonl", "json", "parquet"])
def test_a_reader_that_goes_away_is_no_fault(run: Run, write: Write, format_: str) -> None:
    write(
        "many.jsonl", *({"id": number, "text": f"a rather long text {number}" * 5} for number in range(5000))
    )
    assert run("merge", "events", "many.jsonl").code == 0
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "lakehouse", "read", "events", "--format", format_],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        timeout=120,
        env=HERE,
    )
    os.close(writer)
    assert done.returncode == 141
    assert b"error" not in done.stderr


def test_closed_streams_are_no_fault(shop: Run) -> None:
    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(
            f'"{sys.executable}" -m lakehouse status {closed}',
            shell=True,
            capture_output=True,
            check=False,
            timeout=120,
            env=HERE,
        )
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr
