"""From the identifiers that requests give to all by which these people are known, in all versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import polars as pl

from lakehouse.config import Config
from lakehouse.requests.graph import Graph, Hop, graph_of
from lakehouse.requests.known import REQUEST, SCHEMA, People, Place, people_of, persons_of
from lakehouse.requests.locate import Condition, beside
from lakehouse.requests.reading import VALUE, plain_types
from lakehouse.requests.values import as_text

__all__ = ["People", "Place", "people_of", "persons_of", "resolve"]

NOBODY: Final = frozenset({"", "null", "none", "nil", "nan", "n/a", "na", "-", "unknown", "undefined"})
"""Values that stand for nobody, in small letters and without blanks around."""


def resolve(
    people: People, config: Config, *, place: Callable[[str], Place | None], allow_many: bool = False
) -> People:
    """Finds the other identifiers of people, from table to table, until nothing new is found.

    An earlier e-mail of the same id is the person's too, and so are the orders that name it. A value is
    looked for once in each column. A request whose identifiers lead to more people than one is followed no
    further.

    Args:
        people: The people, as the requests name them.
        config: The lake's config.
        place: Gives a table; None for one that has not been made.
        allow_many: Whether to follow these too.

    Returns:
        The people with all that is known of them; `People.crowds` says which are more than one.
    """
    closure = _Closure(people, config, place, allow_many=allow_many)
    while closure.round():
        pass
    return closure.people()


class _Closure:
    def __init__(
        self, people: People, config: Config, place: Callable[[str], Place | None], *, allow_many: bool
    ) -> None:
        self._limit = None if allow_many else config.requests.max_values
        words = frozenset({""}) if allow_many else NOBODY
        self._nobody = words | {_bare(each) for each in config.requests.placeholders}
        self._place = place
        self._masks = people.masks
        self._graphs: dict[str, Graph] = {
            subject: graph_of(config.subjects[subject])
            for subject in dict.fromkeys(people.known["subject"])
            if subject in config.subjects
        }
        self._crowds: dict[str, dict[str, None]] = {
            each: dict.fromkeys(why) for each, why in people.crowds.items()
        }
        whole = people.known.filter(self._means_somebody())
        self._given = whole.filter(pl.col("tie") == 0)
        for request, identifier in (
            people.known.filter(~self._means_somebody()).select("request", "identifier").rows()
        ):
            self._crowd(request, f"the value that it gives as {identifier} stands for nobody")
        self._known = whole
        self._asked: dict[tuple[str, Hop], pl.DataFrame] = {}

    def people(self) -> People:
        crowds = {each: tuple(why) for each, why in self._crowds.items()}
        return People(self._known, crowds, masks=self._masks)

    def round(self) -> bool:
        """Goes each way once; whether that told anything."""
        before = self._known.height
        for subject, graph in self._graphs.items():
            for hop in graph.hops:
                self._go(subject, graph, hop)
        return self._known.height > before

    def _go(self, subject: str, graph: Graph, hop: Hop) -> None:
        there = self._place(hop.table)
        if there is None:
            return
        schema = there.past.newest.schema
        types = plain_types(schema, [column for column, _ in (*hop.match, *hop.learn)])
        columns = [column for column, _ in hop.match]
        if not all(column in types for column in columns):
            # Nobody can be found by a column that the table does not have (yet).
            return
        known = People(self._given if hop.given_only else self._known).without(frozenset(self._crowds))
        keys = known.keys(subject=subject, where=hop.match, types=types)
        asked = self._asked.get((subject, hop))
        if asked is not None:
            keys = keys.join(asked, on=keys.columns, how="anti")
        if keys.is_empty():
            return
        self._asked[subject, hop] = keys if asked is None else pl.concat([asked, keys.select(asked.columns)])
        wanted = keys.select(columns).unique()
        learn = [column for column, _ in hop.learn if column in types]
        rows = beside(
            there.storage,
            there.past.newest,
            there.past.adds,
            Condition(tuple(columns), wanted),
            columns=learn,
        )
        told = _told(rows, wanted, keys, hop, types=types, tied=bool(graph.parts))
        told = told.filter(self._means_somebody()).with_columns(pl.lit(subject).alias("subject"))
        self._known = pl.concat([self._known, told.select(*SCHEMA)]).unique(maintain_order=True)
        self._count(graph)

    def _count(self, graph: Graph) -> None:
        if self._limit is None:
            return
        many = (
            self._known.filter(~pl.col("identifier").is_in(list(graph.owned)))
            .join(self._masks, on=self._masks.columns, how="anti")
            .group_by("request", "identifier")
            .agg(pl.col("value").n_unique())
            .filter(pl.col("value") > self._limit)
        )
        for request, identifier in many.select("request", "identifier").rows():
            self._crowd(
                request,
                f"it leads to more than {self._limit:,} different values of the identifier {identifier}",
            )

    def _crowd(self, request: str, reason: str) -> None:
        self._crowds.setdefault(request, {})[reason] = None

    def _means_somebody(self) -> pl.Expr:
        plain = pl.col("value").str.strip_chars().str.to_lowercase()
        return ~plain.is_in(sorted(self._nobody))


def _told(
    rows: pl.DataFrame,
    wanted: pl.DataFrame,
    keys: pl.DataFrame,
    hop: Hop,
    *,
    types: Mapping[str, pl.DataType],
    tied: bool,
) -> pl.DataFrame:
    """What rows tell, by request: a row for each value."""
    matched = dict(hop.match)
    pairs = [(f"__match{at}", column, name) for at, (column, name) in enumerate(hop.match)] if tied else []
    pairs += [
        (f"__learn{at}", column, name)
        for at, (column, name) in enumerate(hop.learn)
        if column in rows.columns
    ]
    shown = wanted.with_row_index(VALUE).join(keys, on=list(matched), how="inner")
    shown = shown.rename({column: f"__match{at}" for at, column in enumerate(matched)})
    frame = rows.rename(
        {column: f"__learn{at}" for at, (column, _) in enumerate(hop.learn) if column in rows.columns}
    )
    frame = frame.join(shown, on=VALUE, how="inner")
    frame = frame.select(
        REQUEST, *(as_text(pl.col(alias), types[column]).alias(alias) for alias, column, _ in pairs)
    )
    aliases = [alias for alias, _, _ in pairs]
    tie = pl.struct(aliases).hash() | 1 if tied and aliases else pl.lit(1)
    frame = frame.with_columns(tie.cast(pl.UInt64).alias("tie"))
    parts = [
        frame.select(
            pl.col(REQUEST).alias("request"),
            pl.lit(name).alias("identifier"),
            pl.col(alias).alias("value"),
            "tie",
        ).drop_nulls("value")
        for alias, _, name in pairs
    ]
    empty = pl.DataFrame(schema={name: kind for name, kind in SCHEMA.items() if name != "subject"})
    return pl.concat([empty, *(part.select(empty.columns) for part in parts)]).unique(maintain_order=True)


def _bare(text: str) -> str:
    return text.strip().lower()
