"""What masked copies and masks in place need to know of masks; where they come from is not theirs to know."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

import polars as pl

from lakehouse.delta.schema import StructType

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedPath:
    """A column, or a field inside of one, and what masks it.

    Args:
        path: As `pii` names it; fields of structs after a dot.
        column: The column of the table that it is (in).
        entities: What it holds, as Presidio names it.
        operators: The names of the operators that mask it.
        reversible: Whether all that masks it can be turned back with the key.
        in_part: Whether some of what masks it can, and some not: in a text of several kinds.
        fingerprint: Names the way of masking; see `lakehouse.pii.mask.mark`.
        rekeyed: Whether masks of another version of the key are turned back and made anew.
    """

    path: str
    column: str
    entities: tuple[str, ...]
    operators: tuple[str, ...]
    reversible: bool
    fingerprint: str
    rekeyed: bool = False
    in_part: bool = False


class Masks(Protocol):
    """The masks of one table."""

    @property
    def paths(self) -> Sequence[MaskedPath]:
        """What is masked, and how; in the order of the config."""

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Masks rows.

        Args:
            frame: With all columns of the table.

        Returns:
            The same schema, rows and order; null stays null.
        """


class MaskSource(Protocol):
    """Gives the masks of tables, as the config and the keys are now."""

    def masks(
        self,
        table: str,
        schema: StructType,
        *,
        without: Collection[str] = (),
        known: Mapping[str, str] = NOTHING,
    ) -> Masks:
        """The masks of a table.

        Args:
            table: Its name.
            schema: Its columns.
            without: Paths of its `pii` that are to be left alone.
            known: Paths that are masked, each with the fingerprint of what masked it: where that had another
                version of the key, and its masks can be turned back, they are made anew.

        Raises:
            RefusedError: A column can't be masked in the way that the config says: a key column, for example,
                whose masks would not keep rows apart and findable.
            UsageError: A path leads nowhere, or an operator has wrong settings.
            KeysError: A key is not there.
        """

    def ensure_ready(self, table: str, schema: StructType) -> None:
        """Makes sure that what searches texts is there, where texts of the table are searched.

        Raises:
            MissingPackageError: A library or a language model is not installed.
        """

    def fingerprints(self, table: str, schema: StructType) -> dict[str, str]:
        """For each path of the table's `pii` that it has, what names its way of masking; no key is needed."""

    def key_versions(self, table: str, schema: StructType) -> dict[str, int]:
        """For each key that masks columns of a table the version that new masks are made with."""
