"""What the tables of a lake are handed: their sections, and what rows pass on their way in and out.

What is heavy is imported by the part that needs it: most tables have no masks, and nobody to keep out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from lakehouse.config import Config
from lakehouse.config.models import TableConfig
from lakehouse.config.shredding import shredded_columns
from lakehouse.control import Control
from lakehouse.merge.quarantine import Seal
from lakehouse.merge.target import Masking, utc_now
from lakehouse.verbs.opened import View

if TYPE_CHECKING:
    from lakehouse.pii.keys.ring import KeyRing
    from lakehouse.pii.places import Masks
    from lakehouse.pii.shred.person_keys import PersonKeys
    from lakehouse.pii.spans import SpanFinder
    from lakehouse.requests.suppression import Suppression


class TableParts:
    """Makes the parts of the tables of a lake.

    Args:
        config: The lake's config.
        control: The way to the state database.
        ring: Gives the keys of the lake.
    """

    def __init__(self, config: Config, *, control: Control, ring: Callable[[], KeyRing]) -> None:
        self._config = config
        self._control = control
        self._ring = ring

    def section(self, table: str) -> TableConfig | None:
        """A table's section, with what the lake says for all tables; None where the config has none.

        Args:
            table: Any name.
        """
        section = self._config.tables.get(table)
        if section is None:
            return None
        if self._config.masked_at_merge(table):
            section = section.model_copy(update={"mask_at": "merge"})
        if not self._config.retention:
            return section
        return section.model_copy(update={"retention": self._config.retention_of(table)})

    def at_merge(self, table: str) -> Masking | None:
        """What rows of a table pass before they are stored; None where they are stored as they come.

        Args:
            table: A table of the config.
        """
        masks = self._masks.at_merge(table) if self._config.masked_at_merge(table) else None
        if not self._config.shreds(table):
            return masks
        from lakehouse.pii.shred.at_merge import MergeShred

        columns = shredded_columns(self._config, table)
        return MergeShred(table=table, shredded=columns, keys=self.person_keys(), masks=masks)

    def seal(self, table: str) -> Seal | None:
        """What seals the rejected records of a table; None where they are kept as they came.

        Args:
            table: A table of the config.
        """
        sealed = self._config.masked_at_merge(table) or self._config.shreds(table)
        return self._masks.seal(table) if sealed else None

    def suppression(self, table: str) -> Suppression | None:
        """What keeps erased people out of a table; None where nobody can be erased from it.

        Args:
            table: Any name.
        """
        if all(rows.table != table for each in self._config.subjects.values() for rows in each.rows):
            return None
        from lakehouse.requests.suppression import suppression_of

        return suppression_of(self._config, table, control=self._control, ring=self._ring)

    def view(self, table: str, role: str, *, quarantine: bool) -> View:
        """What a role sees of a table or its quarantine.

        Args:
            table: A table of the config.
            role: The role.
            quarantine: Whether its quarantine is meant.
        """
        return self._masks.view(role, table=table, quarantine=quarantine)

    def person_keys(self) -> PersonKeys:
        """The keys of people under which columns are stored."""
        from lakehouse.pii.shred.person_keys import PersonKeys
        from lakehouse.requests.identity import hasher

        return PersonKeys(self._control, self._ring, hasher, utc_now)

    def finder(self) -> SpanFinder:
        """What finds personal data in texts."""
        from lakehouse.pii.detect.finder import TextFinder

        return TextFinder(self._config.pii)

    @cached_property
    def _masks(self) -> Masks:
        from lakehouse.pii.places import Masks

        return Masks(self._config, self._ring, self.finder)
