"""Whose the personal data in a table's columns is, and what masks it, for one answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lakehouse.config import Config
from lakehouse.config.models import OperatorConfig
from lakehouse.delta.schema import StructType
from lakehouse.errors import LakehouseError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.mask.leaves import InText, Leaf, Whole
from lakehouse.pii.mask.plan import masks_of
from lakehouse.pii.operators.registry import operator_for
from lakehouse.pii.spans import SpanFinder
from lakehouse.pii.turning_back import Mask
from lakehouse.requests.access.belongs import Belongs
from lakehouse.requests.access.own import Own
from lakehouse.requests.access.showing import Judged, Showing, Withheld
from lakehouse.requests.access.sources import Source

_LOOKS_TRUE: Final = frozenset({"fake", "fpe", "date_shift"})
"""Operators whose masks read like somebody's data: nobody is told what is not so."""

_EMPTIES: Final = frozenset({"redact", "nullify", *_LOOKS_TRUE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What whoever answers a request knows better than the config.

    Args:
        own: Columns, as ``table.column``, of which all is the person's, texts too.
        others: Columns of which only what is known to be the person's is.
    """

    own: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


def showing_of(
    source: Source,
    *,
    config: Config,
    belongs: Belongs,
    own: Own,
    ring: KeyRing,
    finder: Callable[[], SpanFinder],
    asked: Asked,
) -> Showing:
    """What shows the rows of a source.

    Args:
        source: The source.
        config: The lake's config.
        belongs: What the config says about whose columns are.
        own: What is the person's.
        ring: The lake's keys.
        finder: Gives what finds personal data in texts.
        asked: What is known better.

    Raises:
        UsageError: A column can't be masked as the config says.
        KeysError: A key is not there.
    """
    section = config.tables[source.table]
    clear = [path for path in section.pii if path not in source.masked]
    stored = [path for path in section.pii if path in source.masked]
    schema = _loose(source.schema)
    problems: dict[str, None] = {}
    judged: list[Judged] = []
    # What is stored masked is never masked again, so that its keys need not be there.
    for paths, operators in ((clear, _operators(config)), (stored, {})):
        answering = _for_answers(config, source.table, paths=paths, operators=operators)
        places = masks_of(source.table, config=answering, schema=schema, ring=ring, finder=finder).places
        for place in places:
            about = section.pii[place.written]
            name = f"{source.table}.{place.written}"
            is_own = True if name in asked.own else False if name in asked.others or about.is_text else None
            pinned = place.path.column in section.key
            judged.append(
                Judged(
                    place=replace(place, leaf=_withholding(place.leaf)),
                    entities=tuple(about.entities),
                    is_own=is_own,
                    stored=None
                    if paths is clear
                    else _stored(config, about.entities, ring, pinned=pinned, problems=problems),
                )
            )
    return Showing(
        places=tuple(judged),
        key=tuple(section.key),
        belongs=belongs,
        own=own,
        finder=finder,
        table=source.table,
        problems=problems,
    )


def _operators(config: Config) -> dict[str, OperatorConfig]:
    """The operators of the config; those whose masks look true empty instead."""
    return {
        entity: OperatorConfig(operator="redact") if each.operator in _LOOKS_TRUE else each
        for entity, each in config.pii.operators.items()
    }


def _for_answers(
    config: Config, table: str, *, paths: Sequence[str], operators: Mapping[str, OperatorConfig]
) -> Config:
    """The config for rows that are read and never written: nothing in them has to stay findable."""
    section = config.tables[table]
    bare = section.model_copy(
        update={
            "key": (),
            "partition_by": (),
            "changes": section.changes.model_copy(update={"sequence": None}),
            "pii": {path: section.pii[path].model_copy(update={"shred": None}) for path in paths},
        }
    )
    return config.model_copy(
        update={
            "tables": {**config.tables, table: bare},
            "pii": config.pii.model_copy(update={"operators": dict(operators)}),
        }
    )


def _loose(schema: StructType) -> StructType:
    """The columns without what the table demands of them."""
    return StructType(tuple(replace(each, nullable=True, metadata={}) for each in schema.fields))


def _withholding(leaf: Leaf) -> Leaf:
    """Says what is missing instead of leaving a hole."""
    if isinstance(leaf, InText):
        operators = leaf.operators.items()
        return InText({kind: Withheld() if each.name in _EMPTIES else each for kind, each in operators})
    return Whole(leaf.entity, Withheld()) if leaf.operator.name in _EMPTIES else leaf


def _stored(
    config: Config, entities: Sequence[str], ring: KeyRing, *, pinned: bool, problems: dict[str, None]
) -> tuple[Mask, ...]:
    """What a column that is stored masked can be turned back with."""
    operators: Mapping[str, OperatorConfig] = config.pii.operators
    found = []
    for entity in entities:
        section = operators.get(entity) or operators.get("DEFAULT")
        if section is None:
            continue
        try:
            made = operator_for(section, ring=ring, pinned=pinned)
        except LakehouseError as error:
            # Without its key it stays as it is stored.
            problems.setdefault(error.message)
            continue
        if made.reversible and not made.per_person and made.name != "keep":
            found.append(Mask(entity, made))
    return tuple(found)
