"""Which columns a file's statistics speak of.

Delta counts leaf columns in the schema's order, nested ones too, and gathers statistics for the first 32 of
them, or for as many or just those that the table's properties name (``delta.dataSkippingNumIndexedCols``,
``delta.dataSkippingStatsColumns``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lakehouse.delta import column_mapping
from lakehouse.delta.actions import Metadata
from lakehouse.delta.schema import DataType, DecimalType, OpaqueType, PrimitiveType, StructType

DEFAULT_INDEXED: Final = 32

_COUNT_PROPERTY: Final = "delta.dataSkippingNumIndexedCols"
_NAMES_PROPERTY: Final = "delta.dataSkippingStatsColumns"
_NAME: Final = re.compile(r"\s*((?:`(?:[^`]|``)+`|[^.,`]+)(?:\.(?:`(?:[^`]|``)+`|[^.,`]+))*)\s*(?:,|$)")
_PART: Final = re.compile(r"`((?:[^`]|``)+)`|([^.`]+)")
_UNORDERED: Final = frozenset({"boolean", "binary", "variant", "void"})


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column without columns inside, arrays and maps included.

    Args:
        path: Display names, from the top-level column down.
        physical: The names in files and statistics, as many.
        type: The leaf's own type.
    """

    path: tuple[str, ...]
    physical: tuple[str, ...]
    type: DataType

    @property
    def ordered(self) -> bool:
        """Whether statistics give bounds for it; otherwise they only count nulls."""
        match self.type:
            case DecimalType():
                return True
            case PrimitiveType(name):
                return name not in _UNORDERED
            case _:
                return False


def indexed_leaves(schema: StructType, *, metadata: Metadata | None = None) -> list[Leaf]:
    """The leaf columns that statistics are gathered for.

    Args:
        schema: The table's schema.
        metadata: Gives the partition columns (which files don't hold), the column mapping and the two
            properties; None means none of these.

    Returns:
        Leaves in the schema's order.
    """
    partitions = () if metadata is None else metadata.partition_columns
    mapped = metadata is not None and column_mapping.mode(metadata) != "none"
    properties = {} if metadata is None else metadata.configuration
    found = list(leaves(schema.without(partitions), mapped=mapped))
    names = properties.get(_NAMES_PROPERTY)
    if names is not None:
        wanted = _split_names(names)
        return [leaf for leaf in found if any(_is_below(leaf.path, name) for name in wanted)]
    count = _whole_number(properties.get(_COUNT_PROPERTY))
    return found if count < 0 else found[:count]


def leaves(schema: StructType, *, mapped: bool) -> Iterator[Leaf]:
    """All leaf columns of a schema that files can hold.

    Args:
        schema: Any schema.
        mapped: Whether columns have physical names.

    Yields:
        Leaves, depth first, in the schema's order.
    """
    for item in schema.fields:
        physical = item.physical_name if mapped else item.name
        match item.type:
            case StructType():
                for leaf in leaves(item.type, mapped=mapped):
                    yield Leaf((item.name, *leaf.path), (physical, *leaf.physical), leaf.type)
            case PrimitiveType("void") | OpaqueType():
                continue
            case _:
                yield Leaf((item.name,), (physical,), item.type)


def _whole_number(text: str | None) -> int:
    try:
        return DEFAULT_INDEXED if text is None else int(text)
    except ValueError:
        return DEFAULT_INDEXED


def _split_names(text: str) -> list[tuple[str, ...]]:
    """``a, b.c, `x.y``` as paths, in lower case, since Delta's names don't differ by case."""
    names = [found[1] for found in _NAME.finditer(text)]
    return [
        tuple(
            (quoted.replace("``", "`") if quoted else plain.strip()).lower()
            for quoted, plain in _PART.findall(name)
        )
        for name in names
    ]


def _is_below(path: Sequence[str], name: Sequence[str]) -> bool:
    return tuple(part.lower() for part in path[: len(name)]) == tuple(name)
