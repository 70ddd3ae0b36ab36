"""Whether ``subjects`` fit the tables: columns, paths and types, and what must not be emptied. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lakehouse.config.document import Steps
from lakehouse.config.models import Config, SubjectConfig, SubjectRows
from lakehouse.config.nearest import suggestion
from lakehouse.config.references import Finding
from lakehouse.delta.schema import (
    ArrayType,
    DataType,
    DecimalType,
    MapType,
    PrimitiveType,
    StructType,
    type_string,
)
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import UsageError
from lakehouse.merge.tables import declared_schema
from lakehouse.pii.paths import ColumnPath, parse_path
from lakehouse.requests.emptying import field_at, neutral_of
from lakehouse.requests.graph import home_of
from lakehouse.requests.reading import only_fields, type_at

_NUMBERS: Final = frozenset({"long", "integer", "short", "byte", "float", "double"})
_TIMES: Final = frozenset({"date", "timestamp", "timestamp_ntz"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a table looks like.

    Args:
        schema: Its columns.
        key: Its key.
        sequence: The columns that say which change is newer.
        partitions: The columns that folders are named by.
        to_come: Columns that the config declares, and that a merge would bring.
    """

    schema: StructType
    key: tuple[str, ...] = ()
    sequence: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    to_come: frozenset[str] = frozenset()


Shapes = Callable[[str], Shape | None]
"""Gives the shape of a table; None where nothing is known of it."""


def declared(config: Config, table: str) -> Shape | None:
    """The shape of a table as the config declares it.

    Args:
        config: The lake's config.
        table: The table.

    Returns:
        The shape; None where the config declares no columns. Others may come with changes, if these may bring
        columns.
    """
    about = config.tables.get(table)
    if about is None or not about.column_schema:
        return None
    return Shape(
        schema=declared_schema(about.column_schema),
        key=tuple(about.key),
        sequence=tuple(about.changes.sequence or ()),
        partitions=tuple(about.partition_by),
    )


def actual(config: Config, table: str, snapshot: Snapshot) -> Shape:
    """The shape of a table that is there.

    Args:
        config: The lake's config.
        table: The table.
        snapshot: Its newest version.
    """
    about = config.tables[table]
    return Shape(
        schema=snapshot.schema,
        key=tuple(about.key),
        sequence=tuple(about.changes.sequence or ()),
        partitions=tuple(snapshot.partition_columns),
        to_come=frozenset(about.column_schema or ()) - frozenset(snapshot.schema.names),
    )


def declared_findings(config: Config) -> Iterator[Finding]:
    """Checks subjects against what the config declares of tables; for ``config check``.

    Args:
        config: The config.

    Yields:
        What is wrong; columns that are not declared are told elsewhere.
    """
    yield from subject_findings(config, lambda table: declared(config, table), told=False)


def ensure_fit(config: Config, shapes: Mapping[str, Shape]) -> None:
    """Refuses subjects that do not fit the tables that are there.

    Args:
        config: The lake's config.
        shapes: The tables' shapes.

    Raises:
        UsageError: They do not fit; all that is wrong is told at once.
    """
    found = list(subject_findings(config, shapes.get))
    if found:
        lines = "".join(f"\n  {'.'.join(map(str, each.way))}: {each.message}" for each in found)
        raise UsageError(
            f"the subjects in the config do not fit the tables:{lines}",
            advice="mend them in the config; `lakehouse show TABLE` lists the columns of a table",
        )


def subject_findings(config: Config, shapes: Shapes, *, told: bool = True) -> Iterator[Finding]:
    """Checks subjects against tables.

    Args:
        config: The lake's config.
        shapes: The tables' shapes.
        told: Whether to tell of columns that are not there.

    Yields:
        What is wrong.
    """
    for name, subject in config.subjects.items():
        yield from _Checks(config, subject, ("subjects", name), shapes, told=told).all()


class _Checks:
    def __init__(
        self, config: Config, subject: SubjectConfig, way: Steps, shapes: Shapes, *, told: bool
    ) -> None:
        self._config, self._subject, self._way = config, subject, way
        self._shapes, self._told = shapes, told

    def all(self) -> Iterator[Finding]:
        for name, place in self._subject.identifiers.items():
            home = home_of(place)
            yield from self._at((*self._way, "identifiers", name), self._holds(home.table, home.column))
        kept = [(rows.table, rows.where) for rows in self._subject.rows if rows.do == "keep" and rows.where]
        for at, rows in enumerate(self._subject.rows):
            if rows.do == "delete" and (rows.table, rows.where) in kept:
                yield Finding(
                    (*self._way, "rows", at, "do"),
                    f"deletes the same rows of `{rows.table}` that another rule keeps on a ground, and would "
                    "never delete any: leave one of the two out",
                )
            yield from self._rows(rows, (*self._way, "rows", at))

    def _rows(self, rows: SubjectRows, way: Steps) -> Iterator[Finding]:
        many = 0
        for column, identifier in rows.where.items():
            here = (*way, "where", column)
            yield from self._at(
                here, self._holds(rows.table, column) or self._compares(rows, column, identifier)
            )
            path = _path(column, self._shapes(rows.table))
            many += path is not None and not only_fields(path)
        if many > 1:
            yield Finding((*way, "where"), "at most one column can go through a list or map")
        for kind, texts in (("text", rows.text or ()), ("columns", rows.columns or ())):
            for at, column in enumerate(texts):
                message = self._is_text(rows.table, column) if kind == "text" else ""
                if rows.do == "anonymize":
                    message = message or self._changes(rows, column, emptied=kind == "columns")
                yield from self._at((*way, kind, at), message)

    def _at(self, way: Steps, message: str) -> Iterator[Finding]:
        if message:
            yield Finding(way, message)

    def _holds(self, table: str, column: str) -> str:
        """Why an identifier can't be in a column."""
        kind, message = self._type(table, column)
        if message or kind is None:
            return message
        if isinstance(kind, StructType | ArrayType | MapType):
            part = _example(column, kind)
            return f"`{column}` of `{table}` is a {_kind(kind)}; say which part of it, as {part}"
        if _class(kind) is None:
            return f"`{column}` of `{table}` has the type {type_string(kind)}, which can't identify anybody"
        return ""

    def _compares(self, rows: SubjectRows, column: str, identifier: str) -> str:
        place = self._subject.identifiers.get(identifier)
        if place is None:
            return ""
        home = home_of(place)
        one, other = self._type(home.table, home.column)[0], self._type(rows.table, column)[0]
        if one is None or other is None:
            return ""
        classes = {_class(one), _class(other)}
        if None in classes or "text" in classes or len(classes) == 1:
            return ""
        return (
            f"`{column}` of `{rows.table}` has the type {type_string(other)}, which can't hold {identifier}: "
            f"`{place}` has the type {type_string(one)}"
        )

    def _is_text(self, table: str, column: str) -> str:
        kind, message = self._type(table, column)
        if message or kind is None or kind == PrimitiveType("string"):
            return message
        return f"`{column}` of `{table}` has the type {type_string(kind)} and is no text"

    def _changes(self, rows: SubjectRows, column: str, *, emptied: bool) -> str:
        """Why a column can't be emptied."""
        shape = self._shapes(rows.table)
        _, message = self._type(rows.table, column)
        path = _path(column, shape)
        about = self._config.tables.get(rows.table)
        if message or path is None or about is None:
            return message
        fixed = {
            "the key": tuple(about.key) if shape is None else shape.key,
            "the order of changes": tuple(about.changes.sequence or ()) if shape is None else shape.sequence,
            "the partitioning": tuple(about.partition_by) if shape is None else shape.partitions,
        }
        for what, columns in fixed.items():
            if path.column in columns:
                return (
                    f"`{column}` of `{rows.table}` belongs to {what} and can't be emptied; let `do` be delete"
                )
        if shape is None or path.column not in shape.schema.names or not emptied:
            return ""
        item = field_at(shape.schema.field(path.column), path.steps)
        try:
            if item is not None:
                neutral_of(item)
        except ValueError:
            return (
                f"`{column}` of `{rows.table}` must not be null, and has no neutral value; let `do` be delete"
            )
        return ""

    def _type(self, table: str, column: str) -> tuple[DataType | None, str]:
        """The type of what a column or path leads to, or why there is none; or neither, if not known."""
        shape = self._shapes(table)
        try:
            path = parse_path(column, columns=() if shape is None else shape.schema.names)
        except UsageError as error:
            return None, f"{error.message}: {error.advice}"
        if any(step.kind == "json" for step in path.steps):
            return None, f"`{column}` goes into JSON, where nobody is looked for; name the column in `text`"
        if shape is None or path.column in shape.to_come:
            return None, ""
        kind = type_at(shape.schema, path)
        if kind is None and path.column in shape.schema.names:
            whole = type_string(shape.schema.field(path.column).type)
            return None, f"`{column}` leads nowhere: `{path.column}` of `{table}` has the type {whole}"
        if kind is None and self._told:
            near = suggestion(path.column, shape.schema.names, what="columns")
            return None, f"`{table}` has no column `{path.column}`{near}"
        return kind, ""


def _path(column: str, shape: Shape | None) -> ColumnPath | None:
    try:
        return parse_path(column, columns=() if shape is None else shape.schema.names)
    except UsageError:
        return None


def _class(kind: DataType) -> str | None:
    """What values of a type are compared as; None for what identifies nobody."""
    if isinstance(kind, DecimalType):
        return "number"
    name = getattr(kind, "name", "")
    if name == "string":
        return "text"
    return "number" if name in _NUMBERS else "time" if name in _TIMES else None


def _kind(kind: DataType) -> str:
    return "list" if isinstance(kind, ArrayType) else "map" if isinstance(kind, MapType) else "struct"


def _example(column: str, kind: DataType) -> str:
    if isinstance(kind, StructType):
        return f"`{column}.{kind.names[0]}`" if kind.names else "one of its fields"
    return f"`{column}[]`" if isinstance(kind, ArrayType) else f"`{column}{{}}` or `{column}{{key}}`"
