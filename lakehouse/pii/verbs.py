"""``lake.pii``: personal data of a lake, found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lakehouse.config.models import Config
from lakehouse.control import Control
from lakehouse.merge.target import Clock, utc_now
from lakehouse.pii.scan.declare import Declaration, plan_declaration, write_declaration
from lakehouse.pii.scan.findings import LastScan, ScanResult
from lakehouse.pii.scan.sample import DEFAULT_VALUES
from lakehouse.pii.scan.verbs import ScanPlace, last_scan, no_finder, scan
from lakehouse.pii.spans import SpanFinder
from lakehouse.table import Table


class Pii:
    """The personal data of a lake. Reached as `Lakehouse.pii`; can be used from many threads.

    Args:
        config: The lake's config.
        table: Gives a table by its name.
        control: The way to the state database.
        finder: Makes what finds personal data in free text.
        clock: Gives the time.
    """

    def __init__(
        self,
        *,
        config: Config,
        table: Callable[[str], Table],
        control: Control | None = None,
        finder: Callable[[], SpanFinder | None] = no_finder,
        clock: Clock = utc_now,
    ) -> None:
        self._config = config
        self._scan_place = ScanPlace(config=config, table=table, control=control, finder=finder, clock=clock)

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
