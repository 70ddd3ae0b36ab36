"""What requests need of a lake, as finding, erasing and answering see it: tables, keys, copies, archives.

What is heavy is imported by the part that needs it: to list requests takes no search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from lakehouse.config import Config
from lakehouse.control import Control
from lakehouse.copies import list_copies
from lakehouse.merge.target import utc_now
from lakehouse.protection import Protection
from lakehouse.records import Records
from lakehouse.storage import Storage
from lakehouse.table import Table
from lakehouse.verbs.opened import OpenTable

if TYPE_CHECKING:
    from lakehouse.pii.keys.ring import KeyRing
    from lakehouse.pii.mask.copies import MaskedCopies
    from lakehouse.pii.shred.verbs import SubjectKeys
    from lakehouse.pii.spans import SpanFinder
    from lakehouse.requests.access import Answering
    from lakehouse.requests.checks import Shape
    from lakehouse.requests.run import RunTarget
    from lakehouse.requests.verbs import Requests
    from lakehouse.state.database import State


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestParts:
    """Makes what takes requests and carries them out.

    Args:
        config: The lake's config.
        lake: Its root.
        control: The way to the state database.
        records: Keeps what was done to tables.
        table: Opens a table of the config, a quarantine or a copy.
        copies: Gives the verbs about masked copies.
        protection: Gives the active holds on a table.
        ring: Gives the keys of the lake.
        finder: Gives what finds personal data in texts.
        keys: Gives the keys of people under which columns are stored.
    """

    config: Config
    lake: Storage
    control: Control
    records: Records
    table: Callable[[str], Table]
    copies: Callable[[], MaskedCopies] = field(repr=False)
    protection: Callable[[str], Protection]
    ring: Callable[[], KeyRing] = field(repr=False)
    finder: Callable[[], SpanFinder] = field(repr=False)
    keys: Callable[[], SubjectKeys] = field(repr=False)

    def verbs(self) -> Requests:
        """The verbs, for the users of the lake."""
        from lakehouse.requests.verbs import Requests

        return Requests(
            self.config,
            control=self.control,
            ring=self.ring,
            protection=self.protection,
            target=self.run_target,
            answering=self.answering,
            keys=self.keys(),
            shape=self.shape,
            copies=self._sources,
        )

    def run_target(self, state: State, author: str) -> RunTarget:
        """What those who carry requests out are told.

        Args:
            state: The state database.
            author: On whose order.
        """
        from lakehouse.pii.executor import Suited
        from lakehouse.requests.elsewhere.places import left_alone, other_tables, unruled
        from lakehouse.requests.run import RunTarget
        from lakehouse.requests.search.run import weight
        from lakehouse.requests.search.work import Item
        from lakehouse.retention.places import ArchivePlaces

        return RunTarget(
            config=self.config,
            lake=self.lake,
            state=state,
            ring=self.ring(),
            table=self._opened,
            copies=self._sources(),
            others=partial(
                other_tables, config=self.config, lake=self.lake, table=self.table, copies=self.copies
            ),
            archives=ArchivePlaces(config=self.config, lake=self.lake).of_table,
            executor=partial(Suited, weight, first=Item("", 0)),
            records=self.records,
            clock=utc_now,
            author=author,
            keys=self.keys(),
            left_alone=left_alone(config=self.config, lake=self.lake),
            unruled=unruled(config=self.config, lake=self.lake),
        )

    def answering(self) -> Answering:
        """What answers requests for access."""
        from lakehouse.requests.access import Answering

        return Answering(
            config=self.config,
            lake=self.lake,
            control=self.control,
            records=self.records,
            table=self._opened,
            ring=self.ring,
            finder=self.finder,
            keys=self.keys(),
        )

    def shape(self, table: str) -> Shape | None:
        """What a table looks like: as the config declares it, or as it is.

        Args:
            table: A table of the config.
        """
        from lakehouse.requests.checks import declared

        shape = declared(self.config, table)
        return self._actual(table) if shape is None else shape

    def ensure_subjects_fit(self) -> None:
        """Refuses ``subjects`` that do not fit the tables, those that are there and those that would be made.

        Raises:
            UsageError: They do not fit, or forget masked copies; all that is wrong is told.
        """
        if not self.config.subjects:
            return
        from lakehouse.requests.checks import declared, ensure_fit
        from lakehouse.requests.elsewhere.places import ensure_ruled

        found = {name: self._actual(name) or declared(self.config, name) for name in self.config.tables}
        ensure_fit(self.config, {name: shape for name, shape in found.items() if shape is not None})
        ensure_ruled(config=self.config, lake=self.lake)

    def _actual(self, table: str) -> Shape | None:
        """What a table looks like as it is; None where it has not been made."""
        from lakehouse.requests.checks import actual

        newest = self._opened(table).find()
        return None if newest is None else actual(self.config, table, newest)

    def _opened(self, table: str) -> OpenTable:
        return self.table(table).opened

    def _sources(self) -> Mapping[str, str]:
        """The masked copies, and the tables that they are made from."""
        return {each.name: each.source for each in list_copies(self.lake)}
