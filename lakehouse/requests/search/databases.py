"""The state database: every cell of every table, and the bytes of SQLite's files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from lakehouse.requests.search.documents import look_at_document
from lakehouse.requests.search.places import StateDatabase
from lakehouse.requests.search.report import ObjectResult
from lakehouse.requests.search.sought import Sought
from lakehouse.requests.search.tally import Tally
from lakehouse.requests.search.walking import look_through
from lakehouse.state.engine import place_of

_AT_ONCE: Final = 1000
_BESIDE: Final = ("", "-wal", "-journal")


def look_at_database(place: StateDatabase, sought: Sought) -> Iterator[ObjectResult]:
    """Looks through a state database.

    Args:
        place: Which. A database in memory belongs to one process alone, and is not reached.
        sought: What is looked for.

    Yields:
        What each table told, and each of SQLite's files.
    """
    where = place_of(place.url)
    if where.in_memory or not where.there():
        return
    engine = (
        create_engine(f"sqlite:///{where.file}", hide_parameters=True)
        if where.file is not None
        else create_engine(where.url, hide_parameters=True)
    )
    try:
        names = inspect(engine).get_table_names()
    except SQLAlchemyError as error:
        tally = Tally(sought=sought, table="", path="state database")
        tally.fail(f"it can't be read ({type(error).__name__})")
        yield tally.result(kind="database", size=0)
        return
    for name in names:
        yield _table(engine, name, sought)
    engine.dispose()
    if where.file is not None:
        beside = [where.file.with_name(where.file.name + end) for end in _BESIDE]
        for file in [each for each in beside if each.exists()]:
            try:
                found = _file(file, sought)
            except FileNotFoundError:
                # Whoever closed the database last took its log into the file, which was looked at before.
                found = _file(where.file, sought)
            yield found


def _table(engine: Engine, name: str, sought: Sought) -> ObjectResult:
    tally = Tally(sought=sought, table="", path=f"state database: {name}")
    try:
        quoted = engine.dialect.identifier_preparer.quote(name)
        with engine.connect() as connection:
            # As it is stored: what should be JSON and is none is a text.
            rows = connection.execution_options(stream_results=True).execute(
                text(f"SELECT * FROM {quoted}")  # noqa: S608 - quoted
            )
            while part := rows.fetchmany(_AT_ONCE):
                tally.rows += len(part)
                for at, column in enumerate(rows.keys()):
                    cells = list(_cells(row[at] for row in part))
                    # All ways to write a needle are looked for in texts: what is in JSON need not be taken
                    # apart where it is not in the whole.
                    if all(isinstance(cell, str) for cell in cells) and not _holds(cells, sought):
                        tally.cells += len(cells)
                    else:
                        look_through(cells, tally, place=f"column {column}")
    except (SQLAlchemyError, ValueError) as error:
        tally.fail(f"it can't be read ({type(error).__name__})")
    return tally.result(kind="database", size=0)


def _holds(cells: list[Any], sought: Sought) -> bool:
    found = sought.in_texts([cell.encode("utf-8", "surrogateescape") for cell in cells], binary=True)
    return bool(found)


def _cells(values: Iterator[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, memoryview):
            yield bytes(value)
        elif isinstance(value, str | bytes | dict | list | int | float):
            yield value
        elif value is not None:
            yield str(value)


def _file(file: Path, sought: Sought) -> ObjectResult:
    tally = Tally(sought=sought, table="", path=f"state database: {file.name}")
    with file.open("rb") as content:
        look_at_document(content, tally)
    return tally.result(kind="database", size=file.stat().st_size)
