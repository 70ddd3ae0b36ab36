"""Puts cells under keys of people before a merge stores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from lakehouse.cdc.changes import OP, ORDINAL, UPSERT, ChangeBatch, Misfit
from lakehouse.config.shredding import Shredded
from lakehouse.delta.exact import column
from lakehouse.delta.schema import STRING, StructType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import RefusedError
from lakehouse.merge.shredded import marked, shredded_in
from lakehouse.merge.target import Masking
from lakehouse.pii.shred.cells import PART, sealed
from lakehouse.pii.shred.person_keys import PersonKeys

NO_PERSON: Final = "no_person"
"""Why a record is rejected that has something for a shredded column and does not say whose it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeShred:
    """The `lakehouse.merge.target.Masking` of a table with shredded columns.

    Args:
        table: The table.
        shredded: Its shredded columns.
        keys: The keys of people.
        masks: Masks the other columns; None where they are stored as they come.
        keep: Whether new keys are kept.
    """

    table: str
    shredded: tuple[Shredded, ...]
    keys: PersonKeys
    masks: Masking | None = None
    keep: bool = True

    def columns(self, schema: StructType) -> tuple[str, ...]:
        """See `Masking.columns`."""
        masked = self.masks.columns(schema) if self.masks is not None else ()
        return tuple(dict.fromkeys((*masked, *(each.column for each in self.shredded))))

    def check(self, snapshot: Snapshot) -> None:
        """See `Masking.check`: rows that were stored before the config asked for keys of people."""
        if self.masks is not None:
            self.masks.check(snapshot)
        there = shredded_in(snapshot.configuration)
        clear = [
            each.column
            for each in self.shredded
            if each.column not in there and each.column in snapshot.schema and snapshot.files
        ]
        if clear:
            raise RefusedError(
                f"table {self.table} has rows in which {', '.join(clear)} "
                f"{'is' if len(clear) == 1 else 'are'} stored clear, and its config says `shred`",
                advice="merge its rows into a new table with `shred`, and take this one and its old versions "
                "away; or leave `shred` out",
            )
        other = [
            each.column for each in self.shredded if there.get(each.column, each.subject) != each.subject
        ]
        if other:
            raise RefusedError(
                f"table {self.table} stores {', '.join(other)} under the keys of another kind of person than "
                "its config says now",
                advice=f"write `shred: {there[other[0]]}` again, or merge into a new table",
            )

    def trying(self) -> MergeShred:
        """See `Masking.trying`."""
        masks = self.masks.trying() if self.masks is not None else None
        return replace(self, keep=False, masks=masks)

    def __call__(self, batch: ChangeBatch, /, *, schema: StructType) -> ChangeBatch:
        """See `Masking.__call__`. Whose a cell is, is told before anything is masked."""
        kinds = batch.frame.schema
        # A column of nothing but nulls has no type yet, and nothing to be encrypted.
        here = [each for each in self.shredded if kinds.get(each.column, pl.Null()) != pl.Null]
        self._check_types(here, batch, schema)
        batch = batch.reject(self._nobodys(batch, here))
        cells = [self._sealed(batch.frame, of) for of in _by_holder(here)]
        masked = self.masks(batch, schema=schema) if self.masks is not None else batch
        done = [series for some in cells for series in some]
        return replace(masked, frame=masked.frame.with_columns(done)) if done else masked

    def properties(self, schema: StructType, before: Mapping[str, str]) -> Mapping[str, str]:
        """See `Masking.properties`."""
        masks = self.masks.properties(schema, before) if self.masks is not None else {}
        mine = {each.column: each.subject for each in self.shredded if each.column in schema}
        return {**masks, **marked({**shredded_in(before), **mine})}

    def _check_types(self, here: Sequence[Shredded], batch: ChangeBatch, schema: StructType) -> None:
        for each in here:
            field = schema.get(each.column)
            kind = batch.frame.schema[each.column]
            if kind != pl.String or (field is not None and field.type != STRING):
                raise RefusedError(
                    f"table {self.table}, column {each.column}: only texts can be shredded, this is {kind}",
                    advice="declare it as `string` in the table's `schema`",
                )
            if field is not None and (field.char_varchar or field.generation_expression is not None):
                raise RefusedError(
                    f"table {self.table}, column {each.column} can't be shredded: the table "
                    + ("computes it" if field.generation_expression else "limits how long it may be"),
                    advice="leave `shred` out, or merge into a new table",
                )
            holder = batch.frame.schema.get(each.holder, pl.String())
            if not (holder in {pl.String, pl.Null} or holder.is_integer()):
                raise RefusedError(
                    f"table {self.table}: {each.holder} says whose {each.column} is, and is {holder}",
                    advice="people are told apart by texts or whole numbers",
                )

    def _nobodys(self, batch: ChangeBatch, here: Sequence[Shredded]) -> dict[int, Misfit]:
        """Records that have a value and do not say whose it is."""
        found: dict[int, Misfit] = {}
        for each in here:
            nobody = (
                column(each.holder).is_null() if each.holder in batch.frame.columns else pl.lit(value=True)
            )
            wrong = batch.frame.filter(_has_value(each.column) & nobody)[ORDINAL]
            misfit = Misfit(
                NO_PERSON, f"{each.column} has a value, and {each.holder} does not say whose it is"
            )
            found |= dict.fromkeys(wrong.to_list(), misfit)
        return found

    def _sealed(self, frame: pl.DataFrame, of: Sequence[Shredded]) -> list[pl.Series]:
        """The columns that belong to one person, encrypted: some rows at a time, whose keys are in memory."""
        names = [each.column for each in of]
        first = of[0]
        if frame.is_empty() or first.holder not in frame.columns:
            return [frame[name] for name in names]
        persons = frame[first.holder].cast(pl.String)
        wanted = frame.select(pl.any_horizontal(_has_value(name) for name in names)).to_series()
        parts: list[list[pl.Series]] = []
        for start in range(0, frame.height, PART):
            some, whose = frame.slice(start, PART), persons.slice(start, PART)
            values = whose.filter(wanted.slice(start, PART)).unique().to_list()
            keys = self.keys.of_values(first.subject, first.identifier, values, keep=self.keep)
            stored = some.select(
                pl.when(pl.col(OP) == UPSERT).then(column(name)).alias(name) for name in names
            )
            parts.append(sealed(stored.get_columns(), whose, keys, table=self.table))
        return [pl.concat(list(each)) for each in zip(*parts, strict=True)]


def _has_value(name: str) -> pl.Expr:
    value = column(name)
    # What a delete says beyond its key is not stored.
    return (pl.col(OP) == UPSERT) & value.is_not_null() & (value.cast(pl.String) != "")


def _by_holder(columns: Sequence[Shredded]) -> list[list[Shredded]]:
    found: dict[tuple[str, str], list[Shredded]] = {}
    for each in columns:
        found.setdefault((each.subject, each.holder), []).append(each)
    return list(found.values())
