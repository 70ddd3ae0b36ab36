"""What a masked copy looks like: its columns, key, partitions and properties, from its source. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from lakehouse.cdc.control import CONTROL_COLUMNS
from lakehouse.cdc.timeline import VALID_FROM
from lakehouse.config.models import TableConfig
from lakehouse.delta.column_mapping import SHREDDED
from lakehouse.delta.datatypes import ArrayType, DataType, MapType, StructField, StructType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import RefusedError
from lakehouse.pii.mask.mark import PROPERTY as MASKS
from lakehouse.pii.mask.mark import marked
from lakehouse.pii.mask.port import MaskedPath

PROPERTY: Final = "lakehouse.copy"
"""The table property in which a copy says what it is a copy of."""

_COMMENT: Final = "comment"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a copy says of itself.

    Args:
        source: The table that it is a copy of.
        table: The id of that table, which is another one once it is made anew.
        keys: The keys that masked it, and in which version.
    """

    source: str
    table: str
    keys: Mapping[str, int]

    def properties(self) -> dict[str, str]:
        """The table property that says so."""
        body = {"source": self.source, "table": self.table, "keys": dict(self.keys)}
        return {PROPERTY: orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()}


def about_of(configuration: Mapping[str, str]) -> About | None:
    """What the properties of a table say of its being a copy.

    Args:
        configuration: All of them.

    Returns:
        It; None for a table that is none.
    """
    try:
        body: Any = orjson.loads(configuration.get(PROPERTY, "null"))
        return About(source=body["source"], table=body["table"], keys=dict(body["keys"]))
    except (ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyShape:
    """What a copy is to look like.

    Args:
        about: What it says of itself.
        schema: Its columns.
        key: The columns by which its rows are found again; empty where they can't be.
        partition_by: Its partition columns.
        marks: Path to fingerprint of all that is masked in it.
    """

    about: About
    schema: StructType
    key: tuple[str, ...]
    partition_by: tuple[str, ...]
    marks: Mapping[str, str]

    def properties(self) -> dict[str, str]:
        """The properties that the copy has of its own."""
        return {**marked(self.marks), **self.about.properties()}


def shape_of(
    source: str,
    snapshot: Snapshot,
    *,
    config: TableConfig,
    paths: Sequence[MaskedPath],
    fingerprints: Mapping[str, str],
    keys: Mapping[str, int],
) -> CopyShape:
    """Works out what a copy of a version looks like.

    Args:
        source: The source's name.
        snapshot: Its version.
        config: Its section.
        paths: What is masked on the way.
        fingerprints: For each path of its `pii` that it has, what names its way of masking.
        keys: The keys that mask, and in which version.

    Raises:
        RefusedError: Nothing would be masked.
    """
    if not fingerprints:
        raise RefusedError(
            f"there is nothing to mask in table {source}: its `pii` names no column that it has",
            advice="say there what is personal; `lakehouse pii scan` finds out",
        )
    masked = {each.column for each in paths}
    plain = [item for item in snapshot.schema.fields if item.name not in CONTROL_COLUMNS]
    return CopyShape(
        about=About(source=source, table=snapshot.metadata.id, keys=dict(keys)),
        schema=StructType(tuple(_plain(item) for item in plain)),
        key=key_of(config, snapshot.schema),
        partition_by=tuple(name for name in snapshot.partition_columns if name not in masked),
        marks=dict(fingerprints),
    )


def key_of(config: TableConfig, schema: StructType) -> tuple[str, ...]:
    """The columns that tell the rows of a table apart, versions of a row included; none where it has no key.

    Args:
        config: The table's section.
        schema: Its columns.
    """
    if not config.key or any(name not in schema for name in config.key):
        return ()
    return (*config.key, VALID_FROM) if VALID_FROM in schema else tuple(config.key)


def derived_config(name: str, source: TableConfig | None) -> TableConfig:
    """The section that a copy would have in the config, if it had one.

    No rules and no `pii`: it follows its source, and is masked.

    Args:
        name: The source's name.
        source: The source's section; None where the config has it no more.
    """
    if source is None:
        return TableConfig(description=f"Masked copy of {name}, which the config does not name any more")
    described = f": {source.description}" if source.description else ""
    return TableConfig(
        description=f"Masked copy of {name}{described}",
        owner=source.owner,
        tags=source.tags,
        key=source.key,
        partition_by=source.partition_by,
        merge=source.merge,
        compact=source.compact,
    )


def grows_only(before: Snapshot, shape: CopyShape) -> bool:
    """Whether a copy needs nothing but more columns to look as it should.

    Args:
        before: The copy as it is.
        shape: As it should be.
    """
    wanted = {item.name: item.type for item in shape.schema.fields}
    same = all(wanted.get(item.name) == item.type for item in before.schema.fields)
    return same and before.partition_columns == shape.partition_by


def changed_marks(before: Mapping[str, str], after: Mapping[str, str]) -> Collection[str]:
    """The paths that are masked in another way than before; new ones are among them.

    Args:
        before: Path to fingerprint in the copy.
        after: As it should be.
    """
    return sorted(path for path in {*before, *after} if before.get(path) != after.get(path))


def properties_after(before: Mapping[str, str], shape: CopyShape) -> dict[str, str]:
    """All properties of a copy once it looks as it should; those that somebody else set stay.

    Args:
        before: Its properties now.
        shape: As it should be.
    """
    others = {name: value for name, value in before.items() if name not in (MASKS, SHREDDED, PROPERTY)}
    return {**others, **shape.properties()}


def _plain(item: StructField) -> StructField:
    """The column without what only its source has: names in files, rules, formulas, traces of older types."""
    comment = item.metadata.get(_COMMENT)
    kept = {_COMMENT: comment} if isinstance(comment, str) else {}
    return StructField(item.name, _plain_type(item.type), nullable=True, metadata=kept)


def _plain_type(data_type: DataType) -> DataType:
    match data_type:
        case StructType(fields):
            return StructType(tuple(_plain(item) for item in fields))
        case ArrayType(element, _):
            return ArrayType(_plain_type(element))
        case MapType(key, value, _):
            return MapType(_plain_type(key), _plain_type(value))
        case _:
            return data_type
