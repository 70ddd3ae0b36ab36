"""Rows as a table for people, JSON, JSON Lines, CSV or Parquet, to a terminal, pipe or file."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import click

from lakehouse.cli.cells import size
from lakehouse.cli.documents import encode
from lakehouse.cli.grid import Grid
from lakehouse.cli.output import binary_stdout, on_terminal, plural
from lakehouse.cli.session import Session
from lakehouse.errors import LakehouseError, UsageError

if TYPE_CHECKING:
    import polars as pl

ON_TERMINAL = 20
_ENDINGS = {".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
_TEXT = {"", ".txt", ".text"}
_SLICE = 10_000
_PART = 100_000


class Asked(NamedTuple):
    """How rows are to be written.

    Args:
        format: ``table``, ``json``, ``jsonl``, ``csv``, ``parquet``, or ``document`` for ``--json``.
        output: The file; None for standard output.
        limit: How many rows at most; None for all.
    """

    format: str
    output: Path | None
    limit: int | None


def asked(
    session: Session, *, format_: str | None, output: str | None, limit: int | None, everything: bool
) -> Asked:
    """Works out from the options how rows are to be written.

    Raises:
        click.UsageError: Options that contradict each other.
    """
    if everything and limit is not None:
        raise click.UsageError("--all and --limit exclude each other", click.get_current_context())
    path = None if output in {None, "-"} else Path(str(output))
    chosen = format_ or (_ENDINGS.get(path.suffix.lower()) if path else None)
    if session.as_json and path is None:
        if chosen is not None and chosen != "json":
            raise click.UsageError(
                f"--json prints one document, which --format {chosen} is not", click.get_current_context()
            )
        chosen = "document"
    if chosen is None and path is not None and path.suffix.lower() not in _TEXT:
        raise click.UsageError(
            f"what to write into {path.name} can't be told from its name: say --format, or let it end in "
            + " ".join(_ENDINGS),
            click.get_current_context(),
        )
    if chosen is None:
        chosen = "table"
    if chosen == "parquet" and path is None and on_terminal(sys.stdout):
        raise click.UsageError(
            "Parquet is nothing to look at: name a file with --output", click.get_current_context()
        )
    if limit is None and not everything and chosen == "table" and path is None and on_terminal(sys.stdout):
        limit = ON_TERMINAL
    return Asked(chosen, path, limit)


def write_frame(
    session: Session,
    frame: pl.LazyFrame | pl.DataFrame,
    *,
    asked: Asked,
    about: Mapping[str, object],
    styles: Mapping[str, Mapping[str, Mapping[str, object]]] | None = None,
    summary: str = "",
) -> None:
    """Writes rows as asked; Parquet and CSV go to a file in a stream, without holding all rows.

    Args:
        session: The invocation.
        frame: The rows.
        asked: How to write them.
        about: What the JSON document says besides the rows.
        styles: Styles of a table's cells.
        summary: What to say below a table instead of the number of its rows.

    Raises:
        UsageError: The query names a column or uses syntax that does not exist.
    """
    with query_errors():
        lazy = frame.lazy()
        if asked.output is None:
            grid = partial(Grid, styles=styles, hint="--columns, --format or a wider terminal shows them")
            _to_stdout(session, lazy, asked, about=about, grid=grid, summary=summary)
            return
        with replacing(asked.output) as file:
            rows = _to_file(lazy if asked.limit is None else lazy.head(asked.limit), asked.format, file)
    if rows is None and asked.format == "parquet":
        rows = _rows_of_parquet(asked.output)
    written = asked.output.stat().st_size
    document = {
        **about,
        "output": asked.output,
        "format": asked.format,
        "rows_written": rows,
        "bytes_written": written,
    }
    counted = "" if rows is None else f"{plural(rows, 'row')}, "
    session.out.emit(document, f"wrote {asked.output}: {counted}{size(written)}")


def _rows_of_parquet(path: Path) -> int | None:
    import polars as pl

    return pl.scan_parquet(path).select(pl.len()).collect().item() if path.is_file() else None


def _to_stdout(
    session: Session,
    lazy: pl.LazyFrame,
    asked: Asked,
    *,
    about: Mapping[str, object],
    grid: Callable[[Sequence[str], Sequence[Sequence[object]]], Grid],
    summary: str,
) -> None:
    # One row more than asked for tells whether there are more, without counting them.
    found = (lazy if asked.limit is None else lazy.head(asked.limit + 1)).collect(engine="streaming")
    shown = found if asked.limit is None else found.head(asked.limit)
    more = found.height > shown.height
    if asked.format == "document":
        session.out.emit_json(
            {
                **about,
                "columns": _columns(shown),
                "rows": shown.rows(named=True),
                "row_count": shown.height,
                "more": more,
            }
        )
    elif asked.format == "table":
        session.out.show(grid(shown.columns, shown.rows()))
        if more:
            session.out.note(f"the first {plural(shown.height, 'row')}; more with --limit N or --all")
        if summary or not more:
            session.out.note(summary or plural(shown.height, "row"))
    else:
        with binary_stdout() as stream:
            _to_stream(shown, asked.format, stream)


def _columns(frame: pl.DataFrame) -> list[dict[str, str]]:
    """Names and types; the types by their Delta names, where a query's result has such a type."""
    from lakehouse.delta.arrow_types import type_from_arrow
    from lakehouse.delta.type_names import type_string

    columns = []
    for field, dtype in zip(frame.clear().to_arrow().schema, frame.dtypes, strict=True):
        try:
            type_ = type_string(type_from_arrow(field.type))
        except LakehouseError:
            type_ = str(dtype).lower()
        columns.append({"name": field.name, "type": type_})
    return columns


def _to_stream(frame: pl.DataFrame, format_: str, stream: IO[bytes]) -> None:
    """Writes rows that are in memory to a pipe.

    Polars must not write to it: where the reader has gone away, it hides the broken pipe in its own error.
    """
    if format_ not in {"csv", "parquet"}:
        _to_file(frame.lazy(), format_, stream)
        return
    # At least one part, so that an empty result has its names.
    parts = list(frame.iter_slices(_PART)) if format_ == "csv" and frame.height else [frame]
    for number, part in enumerate(parts):
        written = io.BytesIO()
        if format_ == "csv":
            _flat(part.lazy()).collect().write_csv(written, include_header=number == 0)
        else:
            part.write_parquet(written)
        stream.write(written.getbuffer())


def _to_file(lazy: pl.LazyFrame, format_: str, file: IO[bytes]) -> int | None:
    """Writes rows in a format; gives their number, or None where it streams and does not know."""
    if format_ == "parquet":
        lazy.sink_parquet(file)
        return None
    if format_ == "csv":
        _flat(lazy).sink_csv(file)
        return None
    frame = lazy.collect(engine="streaming")
    lines = _table_lines(frame) if format_ == "table" else _json_lines(frame, array=format_ == "json")
    for line in lines:
        file.write(line)
    return frame.height


def _table_lines(frame: pl.DataFrame) -> Iterator[bytes]:
    for line in Grid(frame.columns, frame.rows()).lines(width=None, colour=False):
        yield line.encode() + b"\n"


def _json_lines(frame: pl.DataFrame, *, array: bool) -> Iterator[bytes]:
    import polars as pl

    # Only these can hold what JSON has no form for.
    strict = any(dtype.is_nested() or dtype.is_float() or dtype == pl.Int128 for dtype in frame.dtypes)
    between = b""
    if array:
        yield b"["
    for part in frame.iter_slices(_SLICE):
        for row in part.iter_rows(named=True):
            yield between + encode(row, strict=strict)
            between = b",\n" if array else b"\n"
    if array:
        yield b"]\n"
    elif between:
        yield b"\n"


def _flat(lazy: pl.LazyFrame) -> pl.LazyFrame:
    """Makes columns fit for CSV: nested values become JSON, bytes base64, times ISO 8601."""
    import polars as pl

    flat = []
    for name, dtype in lazy.collect_schema().items():
        column = pl.col(name)
        if dtype.is_nested():
            column = column.map_elements(_as_json, return_dtype=pl.String)
        elif dtype == pl.Binary:
            column = column.bin.encode("base64")
        elif isinstance(dtype, pl.Datetime | pl.Duration):
            column = column.dt.to_string("iso:strict" if isinstance(dtype, pl.Datetime) else "iso")
        flat.append(column)
    return lazy.select(flat)


def _as_json(value: Any) -> str:
    return encode(value.to_list() if hasattr(value, "to_list") else value).decode()


@contextmanager
def query_errors() -> Iterator[None]:
    """Turns what polars says about a query's text (not about its data) into wrong usage."""
    import polars.exceptions as wrong

    try:
        yield
    except (
        wrong.ColumnNotFoundError,
        wrong.SQLInterfaceError,
        wrong.SQLSyntaxError,
        wrong.StructFieldNotFoundError,
    ) as error:
        lines = str(error).strip().splitlines()
        raise UsageError(
            lines[0] if lines else type(error).__name__,
            advice="`lakehouse show TABLE` lists columns; in SQL text is 'so' and a column \"so\" or so",
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Writes a file under another name and moves it into place when it is whole.

    Args:
        path: The file. What is no ordinary file (a pipe, a device) is written directly.

    Raises:
        UsageError: Its folder is not there.
    """
    if not path.parent.is_dir():
        raise UsageError(
            f"there is no folder {path.parent} to write {path.name} into", advice="make it first"
        )
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
