"""Files of changes: JSON Lines, JSON, CSV, Parquet and Arrow, into records.

=========================================  ================================================================
name                                       what is in it
=========================================  ================================================================
``*.jsonl``, ``*.ndjson``                  one JSON document a line; blank lines count as lines only
``*.json``                                 a JSON array, one object, or one document a line
``*.csv``                                  comma-separated, names in the first line
``*.parquet``, ``*.arrow``, ``*.feather``,  columns
``*.ipc``
``-``                                      standard input, one JSON document a line, perhaps through gzip,
                                           unless the kind is given
=========================================  ================================================================

The text files can be compressed (``.gz``). A line that can't be read is rejected with its number, the
others are kept; a file that can't be read at all is an error.
"""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, TypeAlias

import polars as pl
import pyarrow as pa

from lakehouse.cdc.changes import Rejected
from lakehouse.cdc.csv_source import read_csv
from lakehouse.cdc.documents import Broken, parse_json
from lakehouse.cdc.records import Records, Tabular, as_items
from lakehouse.errors import DataError, NotFoundError, UsageError

FileKind: TypeAlias = Literal["jsonl", "json", "csv", "parquet", "arrow"]
"""What a file has in it, where its name does not tell."""

STDIN: Final = "-"
"""The name that stands for standard input."""

JSON_LINES: Final = frozenset({".jsonl", ".ndjson"})
COLUMNS: Final = frozenset({".parquet", ".arrow", ".feather", ".ipc"})
EXTENSIONS: Final = (".jsonl", ".ndjson", ".json", ".csv", ".parquet", ".arrow", ".feather", ".ipc")
"""What `read_files` understands; the text formats also with ``.gz`` behind."""

_GZIP: Final = ".gz"
_MARK: Final = b"\xef\xbb\xbf"
_GZIP_MARK: Final = b"\x1f\x8b"
_COLUMN_MARKS: Final = (b"PAR1", b"ARROW1")
_KINDS: Final = {
    ".parquet": "Parquet",
    ".arrow": "Arrow",
    ".feather": "Arrow",
    ".ipc": "Arrow",
    _GZIP: "gzip",
}


def read_files(
    paths: Sequence[str | Path], *, kind: FileKind | None = None, stdin: BinaryIO | None = None
) -> Records | Tabular:
    """Reads files as one batch, in the order given.

    Args:
        paths: The files; ``-`` is standard input.
        kind: What is in them, whatever their names say; None goes by the names.
        stdin: What to read for ``-``; None takes the process's own.

    Returns:
        Records one after the other where a file has JSON, else columns. `lakehouse.cdc.formats.normalize`
        takes both.

    Raises:
        NotFoundError: A file is not there.
        UsageError: A file's name does not say what kind it is.
        DataError: A file can't be read, or its columns contradict another file's.
    """
    parts = [_read(path, kind=kind, stdin=stdin) for path in paths]
    if len(parts) == 1:
        return parts[0]
    tables = [part for part in parts if isinstance(part, Tabular)]
    if len(tables) == len(parts) > 0 and len({_shape(table) for table in tables}) == 1:
        return _stacked(tables)
    return _chained([as_items(part) for part in parts])


def _shape(table: Tabular) -> tuple[frozenset[str], bool]:
    return frozenset(table.frame.columns), table.untyped


def _read(path: str | Path, *, kind: FileKind | None, stdin: BinaryIO | None) -> Records | Tabular:
    name, told = str(path), None if kind is None else f".{kind}"
    if name == STDIN:
        data = (stdin or sys.stdin.buffer).read()
        if told in COLUMNS:
            return _columns(Path("standard input"), told, io.BytesIO(data))
        return _text(_from_stdin(data), told or ".jsonl", "standard input")
    file = Path(name)
    if file.is_dir():
        raise UsageError(f"{name} is a folder", advice=f"name the files in it, as {file / '*.jsonl'}")
    suffix = told or _suffix(file)
    if not file.exists():
        raise NotFoundError(f"there is no file {name}", advice="check the name, or give - for standard input")
    if suffix == ".parquet" and file.stat().st_size == 0:
        raise DataError(f"the file {name} is empty", advice="check that it was written to its end")
    if suffix in COLUMNS:
        with _opened(file) as content:
            return _columns(file, suffix, content)
    return _text(_bytes(file), suffix, name)


def _text(data: bytes, suffix: str, name: str) -> Records | Tabular:
    if suffix == ".csv":
        return read_csv(data, name=name)
    return _lines(data) if suffix in JSON_LINES else _json(data, name)


def _from_stdin(data: bytes) -> bytes:
    """What came in, without gzip around it.

    Raises:
        UsageError: It begins as a file of columns, which needs a name.
        DataError: It begins as gzip and is none.
    """
    if data.startswith(_COLUMN_MARKS):
        raise UsageError(
            "standard input is JSON Lines, and what comes in is Parquet or Arrow",
            advice="say so with the kind of file (--file-type parquet), or merge it as a file",
        )
    if not data.startswith(_GZIP_MARK):
        return data.removeprefix(_MARK)
    try:
        return gzip.decompress(data).removeprefix(_MARK)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            "standard input begins as gzip and can't be read to its end", advice="check that it is complete"
        ) from error


def _suffix(file: Path) -> str:
    """The extension that tells what is in the file, without ``.gz``."""
    named = file.with_suffix("") if file.suffix.lower() == _GZIP else file
    suffix = named.suffix.lower()
    if suffix not in EXTENSIONS or (suffix in COLUMNS and named != file):
        raise UsageError(
            f"what is in {file} can't be told from its name",
            advice=f"files end in {' '.join(EXTENSIONS)}; the text files also in .gz",
        )
    return suffix


def _bytes(file: Path) -> bytes:
    try:
        data = file.read_bytes()
        data = gzip.decompress(data) if file.suffix.lower() == _GZIP else data
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(file, error) from error
    return data.removeprefix(_MARK)


def _lines(data: bytes) -> Records:
    """One document a line, numbered as the file has them."""
    found = [(number, line) for number, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    return Records([line for _, line in found], [number for number, _ in found])


def _json(data: bytes, name: str) -> Records:
    """A whole array, one object, or lines."""
    if not data.strip():
        return Records([])
    (value,) = parse_json([data])
    if isinstance(value, Broken):
        if data.lstrip().startswith(b"["):
            raise DataError(
                f"the file {name} begins as a JSON array and is none",
                advice="check that it is complete, or give one JSON document a line",
            )
        return _lines(data)
    return Records(value if isinstance(value, list) else [value])


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise _unreadable(file, error) from error


def _columns(file: Path, suffix: str, content: BinaryIO) -> Tabular:
    try:
        if suffix == ".parquet":
            return Tabular(pl.read_parquet(content, hive_partitioning=False))
        return Tabular(_arrow(content))
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError) as error:
        raise _unreadable(file, error) from error


def _arrow(content: Any) -> pl.DataFrame:
    """An Arrow file, or a stream, which has no mark at its beginning."""
    begins = content.read(6)
    if not begins:
        return pl.DataFrame()
    content.seek(0)
    opened = pa.ipc.open_file(content) if begins == b"ARROW1" else pa.ipc.open_stream(content)
    return pl.DataFrame(opened.read_all())


def _stacked(tables: Sequence[Tabular]) -> Tabular:
    """Files of the same columns as one table."""
    names = tables[0].frame.columns
    try:
        frame = pl.concat([table.frame.select(names) for table in tables], how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        raise DataError(
            "the files have columns of one name and of types that don't go together",
            advice="merge them one by one",
        ) from error
    positions: list[int] = []
    lines: list[int | None] = []
    rejected: list[Rejected] = []
    for table in tables:
        first = len(lines)
        positions += [first + position for position in table.record_of_row]
        rejected += [replace(item, position=first + item.position) for item in table.rejected]
        lines += [table.line(position) for position in range(len(table))]
    return Tabular(
        frame, positions=positions, lines=lines, rejected=tuple(rejected), untyped=tables[0].untyped
    )


def _chained(parts: Sequence[Records]) -> Records:
    """Files of different columns stay different: what a row lacks is not stated there."""
    items = [item for part in parts for item in part.items]
    lines = [part.line(position) for part in parts for position in range(len(part))]
    return Records(items, lines)


def _unreadable(file: Path, error: Exception) -> DataError:
    if isinstance(error, OSError) and error.strerror:
        return DataError(f"the file {file} can't be read: {error.strerror}", advice="check its permissions")
    kind = _KINDS.get(file.suffix.lower())
    return DataError(
        f"the file {file} can't be read" + (f" as {kind}" if kind else ""),
        advice="check that it is complete and of the kind that its name says",
    )
