"""What a run of requests is told about its lake."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from lakehouse.config import Config
from lakehouse.merge.target import Clock
from lakehouse.pii.executor import Suited
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.shred.verbs import SubjectKeys
from lakehouse.records import Records
from lakehouse.requests.elsewhere.places import OtherTable, Unruled
from lakehouse.state.database import State
from lakehouse.storage import Storage
from lakehouse.verbs.opened import OpenTable

Step: TypeAlias = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done and how much there is (0: not known)."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Tells nobody how far it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTarget:
    """A lake, as those who carry requests out see it.

    Args:
        config: Its config.
        lake: Its root.
        state: Its state database.
        ring: Its keys.
        table: Opens a table of the config, a quarantine or a copy.
        copies: Masked copies, and the tables that they are made from.
        others: Gives the other tables in which people of a table can be: its quarantine and copies.
        left_alone: Masked copies of tables that the config does not name any more.
        unruled: Masked copies of tables that people are in and no rule names.
        archives: Gives the folders of a table's archives.
        executor: Gives what searches, for as long as it is needed.
        records: Keeps what was done to tables.
        clock: Gives the time (timezone-aware).
        author: On whose order.
        keys: The keys of people under which columns are stored.
        step: Told how far it is.
    """

    config: Config
    lake: Storage
    state: State
    ring: KeyRing
    table: Callable[[str], OpenTable]
    copies: Mapping[str, str]
    others: Callable[[str], Iterable[OtherTable]]
    archives: Callable[[str], Iterable[Storage]]
    executor: Callable[[], Suited]
    records: Records
    clock: Clock
    author: str
    keys: SubjectKeys
    step: Step = field(default=silent)
    left_alone: tuple[str, ...] = ()
    unruled: tuple[Unruled, ...] = ()
