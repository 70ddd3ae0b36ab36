"""The verbs to look around with: ``tables``, ``show``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.cells import moment, said, size
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, Fields, plural
from lakehouse.cli.parameters import table_argument
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.config import TableConfig
    from lakehouse.delta.datatypes import StructType
    from lakehouse.delta.snapshot import Snapshot
    from lakehouse.pii.scan.findings import LastScan
    from lakehouse.table import Table


@verb("tables", examples=["lakehouse tables", "lakehouse tables --json"], python="lake.tables")
@click.pass_obj
def tables(session: Session) -> None:
    """List tables and masked copies: what they hold, whose they are, their key.

    `lakehouse status` looks at the tables themselves.
    """
    lake = session.lake
    copies = [each.name for each in lake.copies if each.name not in lake.tables]
    sections = [(name, lake.table(name).config) for name in (*lake.tables, *copies)]
    document = [{"table": name, **_config_document(section)} for name, section in sections]
    rows = [
        [
            said(name),
            said(", ".join(section.key)),
            said(", ".join(section.partition_by)),
            said(section.changes.format),
            said(section.owner),
            said(", ".join(section.tags)),
            said(section.description),
        ]
        for name, section in sections
    ]
    grid = Grid(["table", "key", "partitions", "changes", "owner", "tags", "description"], rows)
    shown = grid.without_empty("partitions", "owner", "tags", "description")
    session.out.emit({"tables": document}, shown if rows else "the config names no tables")


def _config_document(section: TableConfig) -> dict[str, Any]:
    return {
        "description": section.description,
        "owner": section.owner,
        "tags": list(section.tags),
        "key": list(section.key),
        "partition_by": list(section.partition_by),
        "format": section.changes.format,
        "history": section.history.mode,
    }


@verb("show", examples=["lakehouse show customers"], python="lake.table(...).snapshot(), .config, .tags()")
@table_argument()
@click.pass_obj
def show(session: Session, *, table: str) -> None:
    """Show one table: columns, version, size, features, tags.

    Of a table that has not been made yet, what the config says of it.
    """
    place = session.lake.table(table)
    if not place.exists():
        _show_plan(session, place)
        return
    snapshot = place.snapshot()
    tags = place.tags()
    files = snapshot.files.values()
    rows = _live_rows(snapshot)
    made = datetime.fromtimestamp(snapshot.timestamp_ms / 1000, tz=UTC)
    vectors = sum(each.deletion_vector is not None for each in files)
    stored = sum(each.size for each in files)
    features = sorted(
        {*(snapshot.protocol.reader_features or ()), *(snapshot.protocol.writer_features or ())}
    )
    columns = _columns(place.config, snapshot.schema)
    found = _last_scan(session, table)
    document = {
        "table": table,
        "exists": True,
        **_config_document(place.config),
        "location": place.storage.url,
        "version": snapshot.version,
        "timestamp": made,
        "rows": rows,
        "files": len(snapshot.files),
        "bytes": stored,
        "vectors": vectors,
        "columns": columns,
        "protocol": {
            "reader": snapshot.protocol.min_reader_version,
            "writer": snapshot.protocol.min_writer_version,
            "features": features,
        },
        "properties": dict(snapshot.metadata.configuration),
        "version_tags": {each.name: each.version for each in tags},
        "pii_scan": None
        if found is None
        else {"at": found.at, "version": found.version, "columns": dict(found.columns)},
    }
    counted = "" if rows is None else f"{plural(rows, 'row')} in "
    hidden = f", {plural(vectors, 'deletion vector')}" if vectors else ""
    facts = Fields(
        *_config_fields(table, place.config),
        ("location", place.storage.url),
        ("version", f"{snapshot.version} of {moment(made.replace(microsecond=0))}"),
        ("holds", f"{counted}{plural(len(snapshot.files), 'file')} ({size(stored)}{hidden})"),
        ("tags", ", ".join(f"{each.name} = {each.version}" for each in tags) or None),
        ("features", ", ".join(features) or None),
        ("pii scan", _personal(found)),
        (
            "properties",
            ", ".join(f"{key}={value}" for key, value in snapshot.metadata.configuration.items()) or None,
        ),
    )
    session.out.emit(document, facts, "", _columns_grid(columns))


def _last_scan(session: Session, table: str) -> LastScan | None:
    """What the newest scan for personal data found; None where there was none, or it can't be looked up."""
    from lakehouse.errors import LakehouseError

    try:
        return session.lake.pii.last_scan(table)
    except LakehouseError:
        # What there is to see of a table does not depend on the state database.
        return None


def _personal(found: LastScan | None) -> str | None:
    if found is None:
        return None
    columns = ", ".join(f"{path} ({', '.join(kinds)})" for path, kinds in found.columns.items())
    return f"{columns or 'nothing personal'}, in version {found.version} on {found.at:%Y-%m-%d}"


def _show_plan(session: Session, place: Table) -> None:
    columns = _columns(place.config, None)
    document = {
        "table": place.name,
        "exists": False,
        **_config_document(place.config),
        "location": place.storage.url,
        "columns": columns,
    }
    facts = Fields(
        *_config_fields(place.name, place.config),
        ("location", place.storage.url),
        ("version", "none: it has not been made yet"),
    )
    blocks: list[Block] = [facts]
    if columns:
        blocks += ["", _columns_grid(columns)]
    session.out.emit(document, *blocks)
    if place.opened.copy_of is not None:
        source = place.opened.copy_of
        session.out.next_steps((f"lakehouse pii mask {source} --to {place.name}", "make it"))
    elif place.name not in session.lake.tables:
        session.out.note("it is made when a merge first rejects something")
    elif columns:
        session.out.next_steps(("lakehouse apply", "make it"))
    else:
        session.out.next_steps((f"lakehouse merge {place.name} FILE", "the first merge makes it"))


def _config_fields(table: str, section: TableConfig) -> list[tuple[str, object]]:
    return [
        ("table", table),
        ("description", section.description or None),
        ("owner", section.owner or None),
        ("labels", ", ".join(section.tags) or None),
        ("key", ", ".join(section.key) or "none"),
        ("partitions", ", ".join(section.partition_by) or None),
        ("changes", section.changes.format),
        ("history", "full: every version of a row" if section.history.mode == "full" else None),
    ]


def _columns(section: TableConfig, schema: StructType | None) -> list[dict[str, Any]]:
    """Name, type and what is special, of the table's columns or, before it is made, of the config's."""
    from lakehouse.cdc.control import CONTROL_COLUMNS
    from lakehouse.delta.type_names import type_string

    if schema is not None:
        found = [(each.name, type_string(each.type), each.nullable) for each in schema]
    else:
        found = [(name, text, True) for name, text in (section.column_schema or {}).items()]
    return [
        {
            "name": name,
            "type": text,
            "nullable": nullable,
            "key": name in section.key,
            "partition": name in section.partition_by,
            "pii": _kinds(section, name),
            "control": name in CONTROL_COLUMNS,
        }
        for name, text, nullable in found
    ]


def _kinds(section: TableConfig, column: str) -> list[str]:
    """What the config says that is in a column, or in parts of it."""
    from lakehouse.pii.paths import column_of

    inside = (
        kind
        for path, about in section.pii.items()
        if path == column or (path not in (section.column_schema or {}) and column_of(path) == column)
        for kind in about.entities
    )
    return list(dict.fromkeys(inside))


def _columns_grid(columns: list[dict[str, Any]]) -> Grid:
    rows = []
    for each in columns:
        notes = [word for word in ("key", "partition") if each[word]]
        notes += [] if each["nullable"] else ["not null"]
        notes += each["pii"]
        notes += ["kept for merges, not read"] if each["control"] else []
        rows.append([said(each["name"]), said(each["type"]), said(", ".join(notes))])
    return Grid(["column", "type", "is"], rows).without_empty("is")


def _live_rows(snapshot: Snapshot) -> int | None:
    from lakehouse.timetravel.restore import live_rows

    return live_rows(snapshot)
