"""What of a table is masked how: pure, from the config and the table's schema.

Everything that can't be masked as the config says is refused here, before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import polars as pl

from lakehouse.config.models import ColumnPii, Config, OperatorConfig, TableConfig
from lakehouse.delta.schema import StructType, type_to_polars
from lakehouse.errors import UnsupportedFeatureError, UsageError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.mask.checks import Roles, check_place, operators_of
from lakehouse.pii.mask.frames import Place, TableMasks
from lakehouse.pii.mask.leaves import InText, Leaf, Whole
from lakehouse.pii.operators.base import Operator
from lakehouse.pii.operators.fake import Fake
from lakehouse.pii.operators.registry import operator_for
from lakehouse.pii.paths import ColumnPath, parse_path
from lakehouse.pii.spans import SpanFinder

_REDACT: Final = OperatorConfig(operator="redact")


def masks_of(
    table: str, *, config: Config, schema: StructType, ring: KeyRing, finder: Callable[[], SpanFinder]
) -> TableMasks:
    """Works out the masks of a table.

    Args:
        table: A table of the config.
        config: The config of the lake.
        schema: The table's schema. Columns of ``pii`` that it does not have are masked by the types that they
            come with, should they come.
        ring: The keys of the lake.
        finder: Gives what finds personal data in texts; called only when a text column is masked. It must
            pickle where the masks are to be pickled.

    Returns:
        The masks: they can be pickled, and used in threads.

    Raises:
        RefusedError: A column can't be masked in this way: its type, or what it is for, stands against it.
        UsageError: A path leads nowhere, an operator has wrong settings, or nobody can tell whose a row is.
        KeysError: A key is not there.
    """
    planning = Planning(table, config=config, schema=schema, ring=ring)
    section = config.tables[table]
    return TableMasks(
        table=table,
        places=tuple(planning.checked(written, about) for written, about in section.pii.items()),
        row=section.key,
        kinds=_kinds(schema),
        finder=finder,
    )


class Planning:
    """The masks of one table, place by place; operators are made once.

    Args:
        table: A table of the config.
        config: The config of the lake.
        schema: The table's schema; empty where it is not known.
        ring: The keys of the lake.
    """

    def __init__(self, table: str, *, config: Config, schema: StructType, ring: KeyRing) -> None:
        self._table = table
        self._config = config
        self._section: TableConfig = config.tables[table]
        self._schema = schema
        self._ring = ring
        self._roles = Roles.of(self._section)
        self._key_kinds = frozenset(_key_kinds(config))
        self._made: dict[tuple[str, bool], Operator] = {}

    def checked(self, written: str, about: ColumnPii) -> Place:
        """What masks one column, or what is inside of it.

        Args:
            written: The path, as the config writes it.
            about: What the config says of it.

        Raises:
            RefusedError: It can't be masked like that.
            UsageError: As in `masks_of`.
            KeysError: A key is not there.
        """
        path = parse_path(written, columns=self._schema.names)
        leaf = self._leaf(path, about)
        operators = operators_of(leaf).values()
        place = Place(
            written=written,
            path=path,
            leaf=leaf,
            person=self._person(written, about) if any(each.per_person for each in operators) else (),
            per_row=any(each.per_row for each in operators),
        )
        check_place(place, self._schema.get(path.column), roles=self._roles, table=self._table)
        return place

    def _leaf(self, path: ColumnPath, about: ColumnPii) -> Leaf:
        pinned = not path.steps and path.column in self._roles.key
        if about.is_text:
            return InText({kind: self._operator(kind, pinned=pinned) for kind in about.entities})
        configs = [self._configured(kind) for kind in about.entities]
        if all(each == configs[0] for each in configs):
            return Whole(about.entities[0], self._operator(about.entities[0], pinned=pinned))
        # Several kinds that are masked in different ways: what leaves nothing fits all of them.
        return Whole(about.entities[0], operator_for(_REDACT, ring=self._ring))

    def _configured(self, kind: str) -> OperatorConfig:
        operators = self._config.pii.operators
        return operators.get(kind) or operators.get("DEFAULT") or _REDACT

    def _operator(self, kind: str, *, pinned: bool) -> Operator:
        # Columns of the same kind as a key join with it, so that they stay with the same version.
        pinned = pinned or kind in self._key_kinds
        found = self._made.get((kind, pinned))
        if found is None:
            found = operator_for(self._configured(kind), ring=self._ring, pinned=pinned)
            if isinstance(found, Fake):
                found.provider(kind)
            self._made[kind, pinned] = found
        return found

    def _person(self, written: str, about: ColumnPii) -> tuple[str, ...]:
        """The columns that say whose a row is."""
        named = (self._configured(kind).settings.get("by") for kind in about.entities)
        by = next((each for each in named if isinstance(each, str)), None)
        found = (by,) if by is not None else _identifier(self._table, self._config) or self._section.key
        if not found:
            raise UsageError(
                f"table {self._table}, column {written}: nobody can tell whose a row is, so that the dates "
                "of a person can't be shifted alike",
                advice="name the column in `by`, give the table a `key`, or put it into `subjects`",
            )
        missing = [name for name in found if self._schema.fields and name not in self._schema]
        if missing:
            raise UsageError(
                f"table {self._table}, column {written}: there is no column `{missing[0]}`, which says whose "
                "a row is",
                advice=f"columns are {', '.join(self._schema.names)}",
            )
        return found


def _kinds(schema: StructType) -> Mapping[str, pl.DataType]:
    """The types of the columns; those that are not known here are left out."""
    found: dict[str, pl.DataType] = {}
    for field in schema:
        try:
            found[field.name] = type_to_polars(field.type)
        except UnsupportedFeatureError:
            continue
    return found


def _key_kinds(config: Config) -> Iterator[str]:
    for table in config.tables.values():
        for column in table.key:
            about = table.pii.get(column)
            yield from () if about is None else about.entities


def _identifier(table: str, config: Config) -> tuple[str, ...]:
    """The column of a table that says whose a row is, by the first subject that has the table."""
    for subject in config.subjects.values():
        for rows in subject.rows:
            if rows.table == table:
                columns = {identifier: column for column, identifier in rows.where.items()}
                return next(((columns[name],) for name in subject.identifiers if name in columns), ())
        for place in subject.identifiers.values():
            name, _, column = place.partition(".")
            if name == table:
                return (column,)
    return ()
