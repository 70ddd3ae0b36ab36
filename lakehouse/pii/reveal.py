"""Turning masks back, for a role that may: checked, worked out, recorded, and only then handed out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import polars as pl

from lakehouse.config import Config
from lakehouse.config.models import OperatorConfig, RoleConfig, TableConfig
from lakehouse.config.nearest import nearest
from lakehouse.errors import NotFoundError, RefusedError, UsageError
from lakehouse.merge.target import Clock
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.operators.base import Operator
from lakehouse.pii.paths import column_of
from lakehouse.pii.sight import MASKED, VALUE, Sight
from lakehouse.pii.turning_back import Mask, turn_back
from lakehouse.protection.given import LONGEST_REASON, ensure_plain, text_of
from lakehouse.records import NoRecords, Records, operator
from lakehouse.state.rows import ActionRecord
from lakehouse.table import Table

KIND: Final = "reveal"
"""What records of it are called in the state database."""

LIMIT: Final = 1_000
"""How many rows a condition may find where nothing else is said."""

_DEFAULT: Final = "DEFAULT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revealed:
    """Masks that were turned back.

    Args:
        table: The table.
        column: The column.
        role: The role in which it was asked for.
        author: Who asked: the user that the process runs as.
        reason: Why.
        at: When (timezone-aware).
        rows: One row for each value: with ``where`` the table's key, as far as it is no personal data; then
            ``masked``, and ``value``: what it stood for, the same where it is no mask, null where it can't be
            turned back. No part of the text form.
        withheld: Values that were given and are in no row that the role sees; their ``value`` is null.
        problems: Why some could not be turned back, each reason once.
    """

    table: str
    column: str
    role: str
    author: str
    reason: str
    at: datetime
    rows: pl.DataFrame = field(repr=False)
    withheld: int = 0
    problems: tuple[str, ...] = ()

    @property
    def unmasked(self) -> int:
        """How many values came back as they were: no mask of the column is in them."""
        same = pl.col(MASKED) == pl.col(VALUE)
        if self.rows.schema[MASKED] == pl.String:
            same &= pl.col(MASKED) != ""
        return self.rows.filter(same).height


@dataclass(frozen=True, slots=True)
class Person:
    """Whose a row is, for masks that depend on it.

    Args:
        columns: The columns that say so.
        identify: Gives for each row of a frame with these columns whose it is, as it was when it was masked.
    """

    columns: tuple[str, ...]
    identify: Callable[[pl.DataFrame], pl.Series]


def nobody(table: Table, column: str) -> Person | None:
    """Knows of nobody."""
    del table, column
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revealer:
    """Turns masks back.

    Args:
        config: The lake's config.
        table: Gives a table by its name.
        keys: The lake's keys.
        records: Where it is kept what was done.
        operator_for: Makes the operator of a section of the config.
        clock: Gives the time.
        person: Says by which columns of a table the masks of one of its columns depend on the person.
        source: Gives for the name of a masked copy that of its source, whose section in the config says what
            is in its columns and who may see its rows; any other name as it is.
    """

    config: Config
    table: Callable[[str], Table]
    keys: KeyRing
    records: Records
    operator_for: Callable[..., Operator]
    clock: Clock
    person: Callable[[Table, str], Person | None] = nobody
    source: Callable[[str], str] = str

    def reveal(
        self,
        table: str,
        column: str,
        *,
        values: Sequence[Any] | None,
        where: str | None,
        role: str,
        reason: str,
        limit: int,
    ) -> Revealed:
        """See `lakehouse.pii.verbs.Pii.reveal`."""
        if (values is None) == (where is None):
            raise UsageError(
                "masks are named by `values` or by `where`",
                advice="give one of them: the values, or the rows",
            )
        why = ensure_plain(text_of(reason, "the reason"), what="the reason", longest=LONGEST_REASON)
        place = self.table(text_of(table, "the table"))
        source = self.source(place.name)
        rights = self._rights(place.name, source, role)
        section = self.config.tables.get(source) or place.config
        masks = self._masks(place.name, section, column)
        if source != place.name:
            _ensure_fits_copy(rights.rows.get(source), section, copy=place.name, role=role)
        hidden = frozenset(section.pii) if rights.columns == "masked" else frozenset()
        sight = Sight(place, column, condition=rights.rows.get(source), hidden=hidden)
        person = self._person(place, column, masks, by_rows=values is None)
        whose = None
        if values is not None:
            asked = sight.given(values)
        else:
            columns = () if person is None else person.columns
            asked, beside = sight.found(text_of(where, "the condition"), limit=limit, person=columns)
            whose = None if person is None else person.identify(beside)
        back = turn_back(asked[MASKED], masks, person=whose)
        if back.errors and back.values.null_count() == asked.height:
            raise back.errors[0]
        rows = asked.with_columns(back.values.alias(VALUE))
        withheld = 0
        if values is not None:
            rows, withheld = sight.only_seen(rows)
        done = Revealed(
            table=place.name,
            column=column,
            role=role,
            author=operator(),
            reason=why,
            at=self.clock(),
            rows=rows,
            withheld=withheld,
            problems=tuple(str(error) for error in back.errors),
        )
        # Before anybody sees a value: what can't be recorded is not shown.
        self._record(done, by="values" if values is not None else "where")
        return done

    def _rights(self, table: str, source: str, role: str) -> RoleConfig:
        """The role, once it is known that it may.

        Raises:
            NotFoundError: The config has no such role.
            RefusedError: The role may not turn masks back, or not read the table; or nothing is recorded.
        """
        name = text_of(role, "the role")
        found = self.config.roles.get(name)
        if found is None:
            near = nearest(name, self.config.roles)
            known = ", ".join(self.config.roles)
            advice = f"did you mean {near}?" if near else f"it has: {known}" if known else "name one there"
            raise NotFoundError("the config has no such role in `roles`", advice=advice)
        if not found.reveal:
            allowed = [other for other, rights in self.config.roles.items() if rights.reveal]
            raise RefusedError(
                f"role {name} may not turn masks back",
                advice=f"roles that may: {', '.join(allowed)}"
                if allowed
                else f"`reveal: true` in `roles.{name}` of the config would let it",
            )
        if found.tables != "all" and source not in found.tables:
            raise RefusedError(
                f"role {name} may not read table {table}",
                advice=f"it may read: {', '.join(found.tables) or 'none'}; see `roles` in the config",
            )
        if isinstance(self.records, NoRecords):
            raise RefusedError(
                "masks are turned back only where that is recorded, and this lake records nothing",
                advice="open the lake with its state database",
            )
        return found

    def _masks(self, table: str, section: TableConfig, column: str) -> tuple[Mask, ...]:
        """What the column is masked with.

        Raises:
            UsageError: The column has no personal data, or its masks can't be turned back.
        """
        pii = section.pii
        name = text_of(column, "the column")
        if name not in pii:
            near = nearest(name, pii)
            known = ", ".join(pii)
            raise UsageError(
                f"table {table} has no column {name} with personal data",
                advice=f"did you mean {near}?"
                if near
                else f"its columns in `pii` are: {known}"
                if known
                else f"name its columns in `tables.{table}.pii`",
            )
        found: dict[str, Mask] = {}
        pinned = name in section.key
        for entity in pii[name].entities:
            made = self.operator_for(_section(self.config, entity), ring=self.keys, pinned=pinned)
            found[entity] = Mask(entity, made)
        masks = tuple(mask for mask in found.values() if mask.operator.reversible)
        if not masks:
            names = ", ".join(sorted({mask.operator.name for mask in found.values()}))
            raise UsageError(
                f"column {name} of table {table} is masked by {names}: that can't be turned back",
                advice="tokenize, encrypt and fpe can be, for what is masked from now on",
            )
        return masks

    def _person(self, table: Table, column: str, masks: Sequence[Mask], *, by_rows: bool) -> Person | None:
        """Whose the masks are; None where that does not matter.

        Raises:
            UsageError: It matters, and can't be told.
        """
        if not any(mask.operator.per_person for mask in masks):
            return None
        found = self.person(table, column) if by_rows else None
        if found is None:
            raise UsageError(
                f"the masks of column {column} of table {table.name} depend on whose they are",
                advice="name the rows by `where`, so that it is known whose they are",
            )
        return found

    def _record(self, done: Revealed, *, by: str) -> None:
        revealed = done.rows.filter(pl.col(VALUE).is_not_null()).height
        detail = {"column": done.column, "role": done.role, "reason": done.reason, "by": by}
        self.records.add(
            [
                ActionRecord(
                    kind=KIND,
                    action="reveal",
                    table=done.table,
                    at=done.at,
                    author=done.author,
                    rows=revealed,
                    detail=detail,
                )
            ]
        )


def _ensure_fits_copy(condition: str | None, section: TableConfig, *, copy: str, role: str) -> None:
    """Refuses a role whose rows are chosen by a column that is masked in the copy: it would choose others.

    Raises:
        RefusedError: It is.
    """
    if condition is None:
        return
    masked = {column_of(path) for path in section.pii} | {"self"}
    if not masked.isdisjoint(pl.sql_expr(condition).meta.root_names()):
        raise RefusedError(
            f"the rows of role {role} are chosen by a column that is masked in {copy}",
            advice="turn the masks back by their values, from the table that it is a copy of",
        )


def _section(config: Config, entity: str) -> OperatorConfig:
    operators: Mapping[str, OperatorConfig] = config.pii.operators
    return operators.get(entity) or operators.get(_DEFAULT) or OperatorConfig(operator="redact")
