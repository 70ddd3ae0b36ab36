"""``lake.pii``: personal data, for the users of a lake. One verb a method, each handed on to a module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, overload

from lakehouse.config.models import Config
from lakehouse.control import Control
from lakehouse.copies import find_copy
from lakehouse.errors import UsageError
from lakehouse.merge.target import Clock, utc_now
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.mask.copies import MaskedCopies
from lakehouse.pii.mask.copy_plan import CopyResult
from lakehouse.pii.mask.frames import identity
from lakehouse.pii.mask.in_place import mask_in_place
from lakehouse.pii.mask.in_place_plan import InPlacePlan
from lakehouse.pii.mask.source import ConfigMasks
from lakehouse.pii.operators.registry import operator_for
from lakehouse.pii.reveal import KIND, LIMIT, Person, Revealed, Revealer
from lakehouse.pii.risk import RiskReport, risk_of
from lakehouse.pii.scan.declare import Declaration, plan_declaration, write_declaration
from lakehouse.pii.scan.findings import LastScan, ScanResult
from lakehouse.pii.scan.sample import DEFAULT_VALUES
from lakehouse.pii.scan.verbs import ScanPlace, last_scan, scan
from lakehouse.pii.spans import SpanFinder
from lakehouse.records import Records
from lakehouse.state.rows import ActionRecord
from lakehouse.storage import Storage
from lakehouse.table import Table


class Pii:
    """The personal data of a lake. Reached as `Lakehouse.pii`; can be used from many threads.

    Args:
        config: The lake's config.
        lake: The lake's root.
        table: Gives a table by its name.
        copy: Gives the table that is, or is to be, a masked copy: its name, and the source's.
        control: The way to the state database.
        ring: Gives the keys of the lake; asked only where a mask has one.
        finder: Gives what finds personal data in texts; called only where texts are searched.
        records: Where it is kept what was done.
        clock: Gives the time, timezone-aware.
    """

    def __init__(
        self,
        *,
        config: Config,
        lake: Storage,
        table: Callable[[str], Table],
        copy: Callable[[str, str], Table],
        control: Control,
        ring: Callable[[], KeyRing],
        finder: Callable[[], SpanFinder],
        records: Records,
        clock: Clock = utc_now,
    ) -> None:
        self._config = config
        self._table = table
        self._ring = ring
        self._lake = lake
        self._records = records
        self._clock = clock
        self._masks = ConfigMasks(config, ring, finder)
        self._copies = partial(MaskedCopies, config, lake=lake, table=table, copy=copy, masks=self._masks)
        self._scan_place = ScanPlace(config=config, table=table, control=control, finder=finder, clock=clock)

    def __repr__(self) -> str:
        return f"Pii({self._config.name!r})"

    def scan(
        self,
        tables: Sequence[str] | None = None,
        *,
        sample: int = DEFAULT_VALUES,
        seed: int = 0,
        version: int | None = None,
    ) -> ScanResult:
        """Finds columns with personal data; see `lakehouse.pii.scan.verbs.scan`.

        Args:
            tables: Names of tables; None means all that have been made.
            sample: How many rows to look at of each table.
            seed: The same one looks at the same rows.
            version: An older version of the one table that is named.

        Returns:
            By table and path the kinds of personal data, with share, score and evidence; what the config
            does not name; what differs from the scan before.

        Raises:
            TableNotFoundError: The config has no such table, or one that is named has not been made.
            VersionNotFoundError: The version is not there (any more).
            UsageError: A sample that is none, or a version of several tables.
            CorruptTableError: A file is gone or damaged.
        """
        return scan(self._scan_place, tables=tables, sample=sample, seed=seed, version=version)

    def last_scan(self, table: str) -> LastScan | None:
        """What the newest scan of a table found, as the state database remembers it.

        Args:
            table: The table's name.

        Returns:
            When, at which version, and the kinds at each path; None where there was no scan.

        Raises:
            StorageError: The state database can't be used.
            RefusedError: It is not the one of this lake.
        """
        return last_scan(self._scan_place, table)

    def declare(self, result: ScanResult, *, dry_run: bool = False) -> Declaration:
        """Adds what a scan found to ``tables.<table>.pii`` in the config file; what is there stays.

        Args:
            result: What a scan found.
            dry_run: Only shows the change.

        Returns:
            The change, as a unified diff among other things. It counts from the next opening of the lake.

        Raises:
            UsageError: The config came as a mapping, so there is no file.
            RefusedError: The file would not load with it.
            ConflictError: The file was changed in between.
            StorageError: The file can't be written.
        """
        plan = plan_declaration(self._config, result)
        return plan if dry_run else write_declaration(plan)

    def risk(
        self,
        table: str,
        *,
        quasi: Sequence[str],
        sensitive: Sequence[str] = (),
        role: str | None = None,
        version: int | None = None,
        timestamp: datetime | str | None = None,
        tag: str | None = None,
    ) -> RiskReport:
        """Weighs how well people are hidden in a table: k-anonymity, uniqueness, l-diversity.

        Args:
            table: The table, or a masked copy.
            quasi: Columns by which a person could be known together.
            sensitive: Columns that nobody should learn of a person.
            role: Weighs what somebody in this role sees.
            version: A version's number; None means the newest.
            timestamp: The version as of a time with a timezone.
            tag: The version that has this name.

        Returns:
            Numbers; no group is shown. See `lakehouse.pii.risk.risk_of` for what is raised.
        """
        return risk_of(
            self._table(table),
            quasi=quasi,
            sensitive=sensitive,
            role=role,
            version=version,
            timestamp=timestamp,
            tag=tag,
        )

    @property
    def copies(self) -> MaskedCopies:
        """The masked copies: how they stand, dropping one."""
        return self._copies()

    @overload
    def mask(self, table: str, *, to: str, anew: bool = False, dry_run: bool = False) -> CopyResult: ...

    @overload
    def mask(
        self, table: str, *, in_place: bool, dry_run: bool = False, plan: InPlacePlan | None = None
    ) -> InPlacePlan: ...

    def mask(
        self,
        table: str,
        *,
        to: str | None = None,
        in_place: bool = False,
        anew: bool = False,
        dry_run: bool = False,
        plan: InPlacePlan | None = None,
    ) -> CopyResult | InPlacePlan:
        """Masks the columns of `pii` of a table: in a copy that follows it, or in the table itself.

        Args:
            table: The table.
            to: The copy's name: it is made, or brought up to date with what changed since.
            in_place: Masks the rows of the table's newest version for good, in one commit. Older versions,
                the quarantine and archives still hold clear values; the plan says what ends that.
            anew: With ``to``: copies all rows in any case.
            dry_run: Only plans.
            plan: With ``in_place``: a plan that was looked at; nothing is done that is not in it.

        Returns:
            What was done, or would be.

        Raises:
            UsageError: Neither or both of ``to`` and ``in_place``.
            RefusedError: A column can't be masked so, a name is taken, rows would break the table's rules.
            ProtectedError: Rows are held that would be masked.
            ConflictError: Others were faster in all tries, or the table is not as the plan says.
            KeysError: A key is not there.
        """
        if (to is None) == (not in_place):
            raise UsageError(
                "mask needs to know where", advice="give the name of a copy (to=), or in_place=True"
            )
        if to is not None:
            if plan is not None:
                raise UsageError("a plan is for masks in place", advice="leave `plan` out")
            return self.copies.run(table, to, anew=anew, dry_run=dry_run)
        if anew:
            raise UsageError("anew is for copies", advice="leave it out")
        found = self._table(table)
        return mask_in_place(found.opened, config=self._config, masks=self._masks, plan=plan, dry_run=dry_run)

    def reveal(
        self,
        table: str,
        column: str,
        *,
        values: Sequence[Any] | None = None,
        where: str | None = None,
        role: str,
        reason: str,
        limit: int = LIMIT,
    ) -> Revealed:
        """Turns masks of a column back. It is recorded before a value is handed out.

        Kept in the state database: who (the user that this process runs as), in which role, when, why, which
        table and column, how many; never a value or a condition.

        Args:
            table: The table.
            column: One of its columns in `pii`. In texts, the masks among the other words are turned back.
            values: The masks; with them, no `where`. If the role sees only some rows, those that are in none
                of them are withheld.
            where: The rows whose masks are meant, as SQL; with it, no values. It may only name columns that
                the role sees as they are.
            role: A role with ``reveal: true`` that may read the table.
            reason: Why, as ``"case 12/2026"``; at most 1,000 characters. No personal data.
            limit: With `where`: how many rows it may find at most.

        Returns:
            The values.

        Raises:
            RefusedError: The role may not; or nothing could be recorded, as without a state database.
            NotFoundError: The config has no such role.
            TableNotFoundError: The config has no such table.
            KeysError: The key that the masks were made with is lost. If others can be turned back, those are,
                and ``problems`` says why some can't.
            UsageError: The column has no masks that can be turned back, or a condition can't be used.
            StorageError: The state database can't be written: then nothing is shown.
        """
        revealer = Revealer(
            config=self._config,
            table=self._table,
            keys=self._ring(),
            records=self._records,
            operator_for=operator_for,
            clock=self._clock,
            person=self._person,
            source=self._source,
        )
        return revealer.reveal(
            table, column, values=values, where=where, role=role, reason=reason, limit=limit
        )

    def _person(self, table: Table, column: str) -> Person | None:
        """Whose the masks of a column are, as it was when they were made."""
        masks = self._masks.masks(self._source(table.name), table.snapshot().schema).masks
        columns = next((place.person for place in masks.places if place.written == column), ())
        return Person(columns, partial(identity, names=columns)) if columns else None

    def _source(self, name: str) -> str:
        entry = None if name in self._config.tables else find_copy(self._lake, name)
        return name if entry is None else entry.source

    def history(self, table: str | None = None, *, limit: int | None = None) -> list[ActionRecord]:
        """Who turned masks back, the latest first; the state database remembers.

        Args:
            table: Only of this table.
            limit: At most so many entries.

        Returns:
            For each time who, when, which table and how many; in ``detail`` the column, role and reason.

        Raises:
            TableNotFoundError: The config has no such table.
            StorageError: The state database can't be read.
        """
        name = None if table is None else self._table(table).name
        return self._records.list(table=name, kinds=(KIND,), limit=limit)
