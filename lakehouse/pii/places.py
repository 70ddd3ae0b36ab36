"""The masks of a lake's tables, for the places where they are masked: at merge, for a role, in copies."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from lakehouse.config import Config
from lakehouse.delta.schema import StructType
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.mask.at_merge import MergeMasks
from lakehouse.pii.mask.frames import TableMasks
from lakehouse.pii.mask.seal import KeySeal
from lakehouse.pii.mask.source import ConfigMasks, Renamed
from lakehouse.pii.roles import RoleView, view_of
from lakehouse.pii.spans import SpanFinder

_FRESH: Final = 60.0
"""Seconds after which masks are made anew."""


@dataclass(frozen=True, slots=True)
class Masks:
    """Makes the masks of tables, each once. Picklable; can be used from many threads.

    Args:
        config: The lake's config.
        ring: Gives the keys, when a mask needs one.
        finder: Gives what finds personal data in texts, when a column needs it.
    """

    config: Config
    ring: Callable[[], KeyRing]
    finder: Callable[[], SpanFinder]
    _made: dict[tuple[str, str, frozenset[str], Renamed, int], TableMasks] = field(
        default_factory=dict, repr=False, compare=False
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __reduce__(self) -> tuple[type[Masks], tuple[object, ...]]:
        # Another process makes its own.
        return Masks, (self.config, self.ring, self.finder)

    @property
    def source(self) -> ConfigMasks:
        """Where they come from."""
        return ConfigMasks(self.config, self.ring, self.finder)

    def of(
        self,
        table: str,
        schema: StructType,
        without: frozenset[str] = frozenset(),
        renamed: Renamed = frozenset(),
    ) -> TableMasks:
        """The masks of a table.

        Args:
            table: A table of the config.
            schema: Its columns.
            without: Paths that are masked already.
            renamed: Columns that had other names in the version that is meant.

        Raises:
            UsageError: A column can't be masked as the config says.
            KeysError: A key is not there.
        """
        # So that a process which runs for long takes up a rotation of keys.
        now = int(time.monotonic() // _FRESH)
        key = (table, repr(schema), without, renamed, now)
        with self._lock:
            if key not in self._made:
                source = ConfigMasks(self.config, self.ring, self.finder)
                for old in [each for each in self._made if each[-1] != now]:
                    del self._made[old]
                self._made[key] = source.masks(table, schema, without=without, renamed=renamed).masks
            return self._made[key]

    def at_merge(self, table: str) -> MergeMasks | None:
        """What masks a table's rows before they are stored; None where they are stored as they come.

        Args:
            table: A table of the config.
        """
        if not self.config.masked_at_merge(table):
            return None
        # Shredded columns hold their own ciphertexts: masks would be of no use to whoever may read them.
        section = self.config.tables[table]
        shredded = frozenset(path for path, about in section.pii.items() if about.shred is not None)
        others = {path: about for path, about in section.pii.items() if path not in shredded}
        tables = {**self.config.tables, table: section.model_copy(update={"pii": others})}
        return MergeMasks(
            table=table,
            config=self.config,
            masks=partial(self.of, table, without=shredded),
            source=ConfigMasks(self.config.model_copy(update={"tables": tables}), self.ring, self.finder),
        )

    def seal(self, table: str) -> KeySeal | None:
        """What seals a table's rejected records; None where they are kept as they came.

        Args:
            table: A table of the config.
        """
        if self.config.masked_at_merge(table):
            return KeySeal(table, self.ring)
        return KeySeal(table, self.ring, purpose="shred") if self.config.shreds(table) else None

    def view(self, role: str, *, table: str, quarantine: bool = False) -> RoleView:
        """What a role sees of a table; see `view_of`."""
        return view_of(self.config, table, role, masks=partial(self.of, table), quarantine=quarantine)
