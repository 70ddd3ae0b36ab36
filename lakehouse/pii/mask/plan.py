"""What of a table is masked how: pure, from the config and the table's schema.

Everything that can't be masked as the config says is refused here, before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from lakehouse.config.models import ColumnPii, Config, OperatorConfig, TableConfig
from lakehouse.delta.schema import StructField, StructType, type_to_polars
from lakehouse.errors import NotBuiltError, RefusedError, UnsupportedFeatureError, UsageError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.mask.frames import Place, TableMasks
from lakehouse.pii.mask.leaves import InText, Leaf, Whole
from lakehouse.pii.mask.nested import kind_at
from lakehouse.pii.operators.base import Operator
from lakehouse.pii.operators.registry import fitting, operator_for
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
        NotBuiltError: A column is to be stored under a key of each person.
        KeysError: A key is not there.
    """
    return _Planning(table, config=config, schema=schema, ring=ring, finder=finder).masks()


@dataclass(frozen=True, slots=True)
class _Roles:
    """What the columns of a table are for, besides their values."""

    key: frozenset[str]
    order: frozenset[str]
    folders: frozenset[str]


class _Planning:
    def __init__(
        self,
        table: str,
        *,
        config: Config,
        schema: StructType,
        ring: KeyRing,
        finder: Callable[[], SpanFinder],
    ) -> None:
        self._table = table
        self._config = config
        self._section: TableConfig = config.tables[table]
        self._schema = schema
        self._ring = ring
        self._finder = finder
        self._key_kinds = frozenset(_key_kinds(config))
        self._made: dict[tuple[str, bool], Operator] = {}
        self._roles = _Roles(
            key=frozenset(self._section.key),
            order=frozenset(self._section.changes.sequence or ()),
            folders=frozenset(self._section.partition_by),
        )

    def masks(self) -> TableMasks:
        places = tuple(self._place(written, about) for written, about in self._section.pii.items())
        for place in places:
            field = self._schema.get(place.path.column)
            if field is not None:
                self._check(place, field)
        return TableMasks(
            table=self._table,
            places=places,
            row=self._section.key,
            kinds=_kinds(self._schema),
            finder=self._finder,
        )

    def _place(self, written: str, about: ColumnPii) -> Place:
        if about.shred is not None:
            raise NotBuiltError(
                f"table {self._table}, column {written}: `shred` (a key for each person) is not built yet",
                advice="leave `shred` out; `encrypt` or `tokenize` mask the column under a key of the lake",
            )
        path = parse_path(written, columns=self._schema.names)
        leaf = self._leaf(path, about)
        operators = leaf.operators.values() if isinstance(leaf, InText) else (leaf.operator,)
        return Place(
            written=written,
            path=path,
            leaf=leaf,
            person=self._person(written, about) if any(each.per_person for each in operators) else (),
            per_row=any(each.per_row for each in operators),
        )

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
            self._made[kind, pinned] = found
        return found

    def _person(self, written: str, about: ColumnPii) -> tuple[str, ...]:
        """The columns that say whose a row is."""
        for kind in about.entities:
            by = self._configured(kind).settings.get("by")
            if isinstance(by, str):
                if self._schema.fields and by not in self._schema:
                    raise UsageError(
                        f"table {self._table}, column {written}: there is no column `{by}` (`by`)",
                        advice=f"columns are {', '.join(self._schema.names)}",
                    )
                return (by,)
        found = _identifier(self._table, self._config) or self._section.key
        if not found:
            raise UsageError(
                f"table {self._table}, column {written}: nobody can tell whose a row is, so that the dates "
                "of a person can't be shifted alike",
                advice="name the column in `by`, give the table a `key`, or put it into `subjects`",
            )
        return found

    def _check(self, place: Place, field: StructField) -> None:
        where = f"table {self._table}, column {place.written}"
        try:
            kind = kind_at(type_to_polars(field.type), place.path.steps, path=place.written)
        except UsageError as error:
            raise UsageError(f"table {self._table}: {error.message}", advice=error.advice) from None
        except UnsupportedFeatureError as error:
            raise RefusedError(
                f"{where} can't be masked: its type is not known here", advice=error.advice
            ) from None
        self._check_kind(
            where, place.leaf, kind, in_json=any(step.kind == "json" for step in place.path.steps)
        )
        operators = _operators(place.leaf)
        if all(each.name == "keep" for each in operators.values()):
            return
        if field.generation_expression is not None:
            raise RefusedError(
                f"{where} can't be masked: the table computes it from other columns",
                advice="mask those instead, and leave it out of `pii`",
            )
        self._check_role(where, place)
        if not place.path.steps and not field.nullable:
            _check_nulls(where, place.leaf, kind)

    def _check_kind(self, where: str, leaf: Leaf, kind: pl.DataType, *, in_json: bool) -> None:
        if isinstance(leaf, InText):
            if kind != pl.String:
                raise RefusedError(
                    f"{where}: only texts can be searched for personal data, and this is {kind}",
                    advice="give one entity, or `text: false`, to mask its values as a whole",
                )
            kind = pl.String()
        for entity, operator in _operators(leaf).items():
            if not operator.takes(kind):
                fits = ", ".join(name for name in fitting(kind) if name != operator.name)
                in_what = "a value inside of a text" if isinstance(leaf, InText) or in_json else str(kind)
                raise RefusedError(
                    f"{where}: the operator `{operator.name}` (for {entity}) can't mask {in_what}",
                    advice=f"these can: {fits}",
                )

    def _check_role(self, where: str, place: Place) -> None:
        column = place.path.column
        operators = _operators(place.leaf)
        if column in self._roles.order:
            raise RefusedError(
                f"{where} can't be masked: it orders the changes of a row",
                advice="leave it out of `pii`, or use the operator `keep`",
            )
        if column in self._roles.key:
            bad = next((each for each in operators.values() if not _keeps_keys(each)), None)
            if isinstance(place.leaf, InText) or bad is not None:
                name = "masks inside of texts" if bad is None else f"the operator `{bad.name}`"
                raise RefusedError(
                    f"{where} is part of the key, and {name} would not keep rows apart and findable",
                    advice="use tokenize, hash, fpe or keep for it",
                )
        if column in self._roles.folders:
            bad = next((each for each in operators.values() if not _settled(each)), None)
            if isinstance(place.leaf, InText) or bad is not None:
                name = "masks inside of texts" if bad is None else f"the operator `{bad.name}`"
                raise RefusedError(
                    f"{where} says in which folder a row is, and {name} gives other values each time",
                    advice="use an operator that gives the same value the same mask, such as generalize",
                )


def _keeps_keys(operator: Operator) -> bool:
    return _settled(operator) and operator.injective


def _settled(operator: Operator) -> bool:
    return operator.deterministic and not operator.per_person


def _check_nulls(where: str, leaf: Leaf, kind: pl.DataType) -> None:
    if not isinstance(leaf, Whole):
        return
    name = leaf.operator.name
    if name == "nullify" or (name == "redact" and kind not in {pl.String, pl.Binary}):
        raise RefusedError(
            f"{where} must not be null, so that `{name}` can't empty it",
            advice="use `replace` with a `new_value`",
        )


def _operators(leaf: Leaf) -> Mapping[str, Operator]:
    return leaf.operators if isinstance(leaf, InText) else {leaf.entity: leaf.operator}


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
                by_identifier = {identifier: column for column, identifier in rows.where.items()}
                return next((by_identifier[name],) for name in subject.identifiers if name in by_identifier)
        for place in subject.identifiers.values():
            name, _, column = place.partition(".")
            if name == table:
                return (column,)
    return ()
