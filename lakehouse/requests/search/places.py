"""Where is searched: folders of objects, their older versions, and the state database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lakehouse.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder, with everything below it.

    Args:
        storage: The folder.
        shown: What comes before its objects' names in reports: its path below the lake's root.
        table: The table; empty for the lake's own folder.
        like: Tables whose columns identify here too: of a quarantine or copy, the table that it belongs to.
        names: For tables that map columns: physical name and display name, of nested fields too.
        records: Whether texts in its Parquet files are records (JSON) with the table's columns: quarantines.
        older: Whether older versions of objects are searched too, where the bucket keeps them.
        leave_out: Folders in it that are searched as places of their own, or not at all.
    """

    storage: Storage
    shown: str = ""
    table: str = ""
    like: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    records: bool = False
    older: bool = True
    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StateDatabase:
    """The state database.

    Args:
        url: As the config has it; never shown.
    """

    url: str = field(repr=False)


Place = Folder | StateDatabase
