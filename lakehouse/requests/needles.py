"""What is looked for when it is to be proved that a person is gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

LONG_ENOUGH: Final = 6
"""Characters from which on a value that is not only digits is looked for anywhere, and not only as a cell."""

LONG_NUMBER: Final = 9
"""The same for a value of digits alone: shorter ones are in every timestamp and size."""


def is_telling(value: str) -> bool:
    """Whether a value is long enough that it is nobody else's by chance.

    Args:
        value: As text.
    """
    return len(value) >= (LONG_NUMBER if value.isdigit() else LONG_ENOUGH)


@dataclass(frozen=True, slots=True)
class Needle:
    """One identifier of one request. Its value is never shown.

    Args:
        request: The request.
        identifier: What the config calls the identifier, as ``email``.
        value: Its value, as text.
        columns: The columns in which it identifies: table and column. In these it is compared as a value.
        stays: Further columns where it may be, and is not compared: finds of a long value there say so.
    """

    request: str
    identifier: str
    value: str = field(repr=False)
    columns: tuple[tuple[str, str], ...] = ()
    stays: tuple[tuple[str, str], ...] = ()

    @property
    def anywhere(self) -> bool:
        """Whether it is looked for inside of texts and bytes too; short ones would be found by chance."""
        return is_telling(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A place where a needle was found; holds no personal value.

    Args:
        request: The request.
        identifier: Which of its identifiers.
        table: The table below whose folder the object is; empty for the lake's own objects.
        path: The object, below the lake's root; with ``database`` for the state database its table.
        place: Where in it: ``column email``, ``statistics of column email``, ``bytes``, ``add.stats``.
        count: How often there.
    """

    request: str
    identifier: str
    table: str
    path: str
    place: str
    count: int = 1
