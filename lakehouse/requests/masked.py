"""People in tables that hold masks: a request gives clear identifiers, and a row has what stands for them.

Where a table was masked at merge or in place, the masks of identifiers are made anew, under each version of
the key that there is, and count as further values of the same identifiers: rows are found by them, and what
is left is searched for them too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from lakehouse.config import Config
from lakehouse.config.models import ColumnPii, OperatorConfig
from lakehouse.config.models.operators import SETTINGS, KeyedSettings, plain_settings
from lakehouse.delta.exact import column as column_of
from lakehouse.delta.schema import type_to_polars
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import RefusedError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.mask.frames import TableMasks
from lakehouse.pii.mask.leaves import Whole
from lakehouse.pii.mask.mark import fingerprint, marks_of
from lakehouse.pii.mask.plan import masks_of
from lakehouse.pii.spans import SpanFinder
from lakehouse.requests.elsewhere.wanted import columns_of
from lakehouse.requests.known import People
from lakehouse.requests.rules import rules_of
from lakehouse.requests.shredded import is_cell
from lakehouse.requests.values import as_text, as_value


def with_masks(
    people: People, config: Config, *, snapshot: Callable[[str], Snapshot | None], ring: KeyRing
) -> People:
    """The same people, known by what stands for them in masked columns too. Done twice, it adds nothing.

    Args:
        people: The people.
        config: The lake's config.
        snapshot: Gives the newest version of a table; None for one that has not been made.
        ring: The keys of the lake; asked only where there are masks.

    Raises:
        RefusedError: Rows are to be found by a column whose masks tell nobody apart, or were made in a way
            that the config does not say any more.
        KeysError: A key is not there.
    """
    parts, masks = [people.known], [people.masks]
    for subject in dict.fromkeys(people.known["subject"]):
        mine = people.known.filter(pl.col("subject") == subject)
        for identifier, columns in columns_of(config, subject).items():
            # What is stored under a key of the person is masked nowhere.
            known = mine.filter((pl.col("identifier") == identifier) & ~is_cell(pl.col("value")))
            if known.height:
                ways = [
                    way
                    for table, column in columns
                    if (newest := snapshot(table)) is not None
                    for way in _ways(subject, table, column, newest=newest, config=config, ring=ring)
                ]
                made = _masked(known, ways)
                parts += made
                masks += [each.select(people.masks.columns) for each in made]
    return People(
        pl.concat(parts).unique(maintain_order=True),
        people.crowds,
        masks=pl.concat(masks).unique(maintain_order=True),
    )


def behind_masks(
    people: People, config: Config, *, snapshot: Callable[[str], Snapshot | None], ring: KeyRing
) -> dict[str, str]:
    """Requests whose people may be in a table and can't be found there.

    A request gives an e-mail alone, the table has it masked so that nobody is told from anybody, and rows are
    found by an id that stands beside it.

    Args:
        people: The people, with all that is known of them.
        config: The lake's config.
        snapshot: As for `with_masks`.
        ring: The keys of the lake.

    Returns:
        By request why; others are left out.
    """
    found: dict[str, str] = {}
    for subject in dict.fromkeys(people.known["subject"]):
        mine = people.known.filter(pl.col("subject") == subject)
        columns = columns_of(config, subject)
        for identifier, places in columns.items():
            asked = set(mine.filter(pl.col("identifier") == identifier)["request"])
            for table, column in places if asked else ():
                if not _is_hidden(table, column, snapshot(table), config, ring):
                    continue
                beside = [name for name, those in columns.items() if any(table == each for each, _ in those)]
                others = [name for name in beside if name != identifier]
                known = set(mine.filter(pl.col("identifier").is_in(others))["request"])
                if others:
                    reason = (
                        f"it names its person by {identifier} alone, and the masks of {table}.{column} do "
                        "not tell one from another, or are older than the config: give "
                        f"{' or '.join(others)} too"
                    )
                    found |= dict.fromkeys(sorted(asked - known), reason)
    return found


def _is_hidden(table: str, column: str, newest: Snapshot | None, config: Config, ring: KeyRing) -> bool:
    """Whether a column is masked so that nobody is found by it."""
    if newest is None or column not in marks_of(newest.configuration):
        return False
    return _found(table, column, newest, config, ring) is None


@dataclass(frozen=True, slots=True)
class _Way:
    """One way in which values of an identifier are masked somewhere.

    Args:
        column: The column.
        kind: Its type.
        masks: What masks it.
    """

    column: str
    kind: pl.DataType
    masks: TableMasks

    def of(self, values: pl.Series) -> pl.Series:
        """The masks of texts, as texts; null for what is no value of the column."""
        typed = values.to_frame("text").select(as_value(pl.col("text"), self.kind).alias(self.column))
        return self.masks.apply(typed).select(as_text(column_of(self.column), self.kind)).to_series()


def _ways(
    subject: str, table: str, column: str, *, newest: Snapshot, config: Config, ring: KeyRing
) -> list[_Way]:
    """The masks of a column, one for each version of the key; none where it is not masked.

    Raises:
        RefusedError: A rule finds rows by it, and they can't be found so.
    """
    if column not in marks_of(newest.configuration):
        return []
    found = _found(table, column, newest, config, ring)
    if found is None and _is_asked(config, subject, table, column):
        raise RefusedError(
            f"people can't be found in table {table} by {column}: its masks do not tell one from another, or "
            "were made in another way than the config says now",
            advice=f"name another column of {table} in `subjects.{subject}.rows`",
        )
    kind = type_to_polars(newest.schema.field(column).type)
    return [_Way(column, kind, masks) for masks in found or ()]


def _is_asked(config: Config, subject: str, table: str, column: str) -> bool:
    """Whether a rule finds rows by a column."""
    rules = rules_of(config, subjects=frozenset({subject})).get(table, ())
    return any(column in rule.key for rule in rules)


def _found(
    table: str, column: str, newest: Snapshot, config: Config, ring: KeyRing
) -> list[TableMasks] | None:
    """The masks of a column, one for each version of the key; None where rows can't be found by them."""
    about = config.tables[table].pii.get(column)
    if about is None or marks_of(newest.configuration)[column] != fingerprint(about, config.pii):
        return None
    found = []
    for each in _versions(config, about, ring):
        tables = {**each.tables, table: each.tables[table].model_copy(update={"pii": {column: about}})}
        masks = masks_of(
            table,
            config=each.model_copy(update={"tables": tables}),
            schema=newest.schema,
            ring=ring,
            finder=_no_finder,
        )
        leaf = masks.places[0].leaf
        if not isinstance(leaf, Whole) or leaf.operator.per_person:
            return None
        if not (leaf.operator.deterministic and leaf.operator.injective):
            return None
        found.append(masks)
    return found


def _versions(config: Config, about: ColumnPii, ring: KeyRing) -> Iterator[Config]:
    """The config, once for each version of the key that masks a column; once where there is none."""
    entity = about.entities[0]
    name = entity if entity in config.pii.operators else "DEFAULT"
    operator = config.pii.operators.get(name)
    model = SETTINGS.get(operator.operator) if operator is not None else None
    if operator is None or model is None:
        yield config
        return
    settings = model.model_validate(plain_settings(operator.settings))
    if not isinstance(settings, KeyedSettings) or settings.version is not None:
        yield config
        return
    for version in ring.versions(settings.key):
        yield _with_operator(config, name, operator, version)


def _with_operator(config: Config, name: str, operator: OperatorConfig, version: int) -> Config:
    fixed = OperatorConfig.model_validate(
        {"operator": operator.operator, **operator.settings, "version": version}
    )
    operators: Mapping[str, OperatorConfig] = {**config.pii.operators, name: fixed}
    return config.model_copy(update={"pii": config.pii.model_copy(update={"operators": operators})})


def _masked(known: pl.DataFrame, ways: Sequence[_Way]) -> list[pl.DataFrame]:
    """The masks of values, as further values; a value that is the mask of another one has none of its own."""
    values = known["value"]
    made = [way.of(values) for way in ways]
    masks = {mask for each in made for mask in each.filter(each.ne_missing(values)) if mask is not None}
    clear = ~values.is_in(list(masks))
    return [
        known.with_columns(each.alias("value")).filter(clear).drop_nulls("value").select(known.columns)
        for each in made
    ]


def _no_finder() -> SpanFinder:
    raise AssertionError("whole values are masked without looking for words")
