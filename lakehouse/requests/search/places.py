"""Where is searched: folders of objects, their older versions, and the state database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def lake_places(
    lake: Storage,
    *,
    tables: Mapping[str, Mapping[str, str]],
    copies: Mapping[str, str] | None = None,
    archives: Mapping[str, Sequence[Storage]] | None = None,
    quarantine: str = "__quarantine",
) -> tuple[Folder, ...]:
    """Everything below a lake's root, each object once: tables, quarantines, copies, and all that is in none.

    Archives count as their tables, wherever they lie. The state database is a place of its own.

    Args:
        lake: The lake's root.
        tables: The tables; of those that map columns, physical and display names.
        copies: Masked copies, and the tables that they are made from.
        archives: By table the folders of its archives.
        quarantine: What the names of quarantines end in.
    """
    places = []
    for name, names in tables.items():
        places.append(_folder(lake, name, names=names))
        places.append(_folder(lake, f"{name}{quarantine}", like=(name,), names=names, records=True))
    for copy, source in (copies or {}).items():
        if copy not in tables:
            places.append(_folder(lake, copy, like=(source,), names=tables.get(source, {})))
    # An archive has the names that people see of columns.
    places += [
        Folder(storage=folder, shown=below(lake, folder), table=name)
        for name, folders in (archives or {}).items()
        for folder in {each.url: each for each in folders}.values()
    ]
    inside = tuple(place.shown for place in places if place.storage.url.startswith(f"{lake.url}/"))
    rest = Folder(storage=lake, like=tuple(tables), leave_out=inside)
    return (*places, rest)


def below(lake: Storage, folder: Storage) -> str:
    """What comes before the names of objects: the way from the root, or the folder's own address.

    Args:
        lake: The lake's root.
        folder: A folder, there or elsewhere.
    """
    return folder.url.removeprefix(f"{lake.url}/")


def _folder(
    lake: Storage,
    name: str,
    *,
    names: Mapping[str, str],
    like: tuple[str, ...] = (),
    records: bool = False,
) -> Folder:
    return Folder(storage=lake.child(name), shown=name, table=name, like=like, names=names, records=records)
