"""The other tables in which people of a table are: its rejected records, and its masked copies.

Both are tables that no config lists, with a `Found` as any other: they are erased and purged with the same
tools. What is special is how people are found in them, and that a copy first catches up with its source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from lakehouse.config import Config
from lakehouse.copies import list_copies
from lakehouse.errors import UsageError
from lakehouse.merge.quarantine import Seal
from lakehouse.merge.result import QUARANTINE
from lakehouse.pii.mask.copies import MaskedCopies
from lakehouse.requests.elsewhere.copies import find_in_copy
from lakehouse.requests.elsewhere.quarantine import find_in_quarantine
from lakehouse.requests.find import Found
from lakehouse.requests.people import People
from lakehouse.storage import Storage
from lakehouse.table import Table
from lakehouse.verbs.opened import OpenTable


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundElsewhere:
    """What another table holds of people.

    Args:
        found: Their rows.
        exact: Whether they are theirs alone. Else they stand for all that is old in it: its old files can
            only be removed, not emptied in place.
    """

    found: Found
    exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejects:
    """The rejected records of a table.

    Args:
        of: The table.
        table: The quarantine.
        seal: Opens its records.
        config: The lake's config.
    """

    of: str
    table: OpenTable
    seal: Seal = field(repr=False)
    config: Config = field(repr=False)
    kind: Literal["quarantine"] = "quarantine"

    def catch_up(self) -> int | None:
        """Does nothing: what is in it comes from merges alone."""
        return None

    def find(self, people: People, source: Found | None) -> FoundElsewhere | None:
        """Finds people.

        Args:
            people: Who is looked for.
            source: What was found of them in the table; no matter here.

        Returns:
            Their records; None where nothing was ever rejected.
        """
        del source
        found = find_in_quarantine(self.table, seal=self.seal, people=people, config=self.config)
        return None if found is None else FoundElsewhere(found=found)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedCopy:
    """A masked copy of a table.

    Args:
        of: The table.
        table: The copy.
        copies: The masked copies of the lake.
    """

    of: str
    table: OpenTable
    copies: MaskedCopies = field(repr=False)
    kind: Literal["copy"] = "copy"

    def catch_up(self) -> int | None:
        """Brings the copy up to date: to be done after the erasure from its source, before finding.

        Returns:
            The version of the copy; None where it has none.

        Raises:
            RefusedError: It can't follow any more, as where nothing would be masked.
            ConflictError: Others were faster in all tries.
        """
        return self.copies.run(self.of, self.table.name).version

    def find(self, people: People, source: Found | None) -> FoundElsewhere | None:
        """Finds what is left of people.

        Args:
            people: Who is looked for.
            source: What was found of them in the table.

        Returns:
            Their rows that are not alive; None where the copy has not been made, or nobody was looked for in
            the table.
        """
        del people
        if source is None:
            return None
        here = find_in_copy(self.copies.following(self.table.name), source)
        return None if here is None else FoundElsewhere(found=here.found, exact=here.exact)


OtherTable = Rejects | MaskedCopy


def other_tables(
    name: str,
    *,
    config: Config,
    lake: Storage,
    table: Callable[[str], Table],
    copies: Callable[[], MaskedCopies],
) -> Iterator[OtherTable]:
    """The other tables in which people of a table can be, whether they have been made or not.

    Args:
        name: A table of the config.
        config: The lake's config.
        lake: The lake's root.
        table: Gives a table, a quarantine or a copy by its name.
        copies: Gives the masked copies of the lake.
    """
    yield Rejects(
        of=name,
        table=table(f"{name}{QUARANTINE}").opened,
        seal=table(name).opened.quarantine.seal,
        config=config,
    )
    for entry in list_copies(lake, source=name):
        if entry.name not in config.tables:
            yield MaskedCopy(of=name, table=table(entry.name).opened, copies=copies())


def left_alone(*, config: Config, lake: Storage) -> tuple[str, ...]:
    """Masked copies of tables that the config does not name any more: nobody is found in them.

    Args:
        config: The lake's config.
        lake: The lake's root.
    """
    return tuple(each.name for each in list_copies(lake) if each.source not in config.tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unruled:
    """A masked copy in which nobody looks for people, though they are there.

    Args:
        copy: The copy.
        source: The table that it is a copy of.
        subject: The kind of person.
    """

    copy: str
    source: str
    subject: str

    def __str__(self) -> str:
        return (
            f"people of `{self.subject}` are in {self.source}, and no rule says what happens to its rows: "
            f"they stay there, and so do their masks in the copy {self.copy}"
        )


def unruled(*, config: Config, lake: Storage) -> tuple[Unruled, ...]:
    """Masked copies of tables that identifiers come from and no rule names.

    Args:
        config: The lake's config.
        lake: The lake's root.
    """
    homes = {
        (subject, place.partition(".")[0]): None
        for subject, section in config.subjects.items()
        for place in section.identifiers.values()
    }
    ruled = {(subject, rows.table) for subject, section in config.subjects.items() for rows in section.rows}
    open_ = [each for each in homes if each not in ruled]
    return tuple(
        Unruled(copy=copy.name, source=source, subject=subject)
        for subject, source in open_
        for copy in list_copies(lake, source=source)
        if copy.name not in config.tables or (subject, copy.name) not in ruled
    )


def ensure_ruled(*, config: Config, lake: Storage) -> None:
    """Refuses a config that lets people stay in masked copies without a word.

    Args:
        config: The lake's config.
        lake: The lake's root.

    Raises:
        UsageError: It does; each copy is named.
    """
    found = unruled(config=config, lake=lake)
    if found:
        lines = "".join(f"\n  {each}" for each in found)
        raise UsageError(
            f"erasures would not reach all masked copies:{lines}",
            advice=f"say in `subjects.{found[0].subject}.rows` what happens to rows of {found[0].source}, "
            "and the copy follows; `do: keep` with a ground, if they are to stay",
        )
