"""``lake.pii.scan`` and ``lake.pii.declare``: finds columns with personal data, and says so in the config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lakehouse.config.models import Config
from lakehouse.control import Control
from lakehouse.delta.features import ensure_readable
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import UsageError
from lakehouse.merge.target import Clock, utc_now
from lakehouse.pii.mask.mark import marks_of
from lakehouse.pii.paths import ColumnPath, parse_path
from lakehouse.pii.scan.asking import Asking
from lakehouse.pii.scan.classify import Classifier
from lakehouse.pii.scan.findings import ColumnFinding, LastScan, ScanResult, TableScan, Unread
from lakehouse.pii.scan.memory import ScanMemory, drift_since, kinds_of
from lakehouse.pii.scan.sample import DEFAULT_VALUES, sample_columns
from lakehouse.pii.spans import SpanFinder
from lakehouse.table import Table

MOST_VALUES: Final = 1_000_000


def no_finder() -> SpanFinder | None:
    """No finder: patterns, checksums, lists and names alone."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanPlace:
    """What a scan needs to know of its lake.

    Args:
        config: The lake's config.
        table: Gives a table by its name.
        control: The way to the lake's state database; None where nothing is kept.
        finder: Makes what finds personal data in free text; once a scan, where there is something to ask.
        clock: Gives the time.
    """

    config: Config
    table: Callable[[str], Table]
    control: Control | None = None
    finder: Callable[[], SpanFinder | None] = field(default=no_finder)
    clock: Clock = field(default=utc_now)


def scan(
    place: ScanPlace,
    *,
    tables: Sequence[str] | None = None,
    sample: int = DEFAULT_VALUES,
    seed: int = 0,
    version: int | None = None,
) -> ScanResult:
    """Finds columns with personal data in samples of their values.

    Also in fields of structs, in lists, maps and JSON texts. Nothing of a value is in the result but its
    shape. What was found is kept in the state database, with the table's version, so that the next scan can
    tell what is new.

    Args:
        place: The lake.
        tables: Names of tables; None means all that have been made.
        sample: How many rows to look at of each table.
        seed: The same one looks at the same rows.
        version: An older version of the one table that is named.

    Returns:
        By table and path the kinds of personal data, with share, score and evidence; what the config does not
        name; what differs from the scan before.

    Raises:
        TableNotFoundError: The config has no such table, or one that is named has not been made.
        VersionNotFoundError: The version is not there (any more).
        UsageError: A sample that is none, or a version of several tables.
        CorruptTableError: A file is gone or damaged.
    """
    _check(tables, sample=sample, seed=seed, version=version)
    now = place.clock()
    finder = Asking(place.finder)
    classifier = Classifier(config=place.config.pii, finder=finder, today=now.date(), seed=seed)
    memory = ScanMemory(place.control) if place.control is not None else None
    found = []
    for name in dict.fromkeys(tables) if tables is not None else place.config.tables:
        table = place.table(name)
        if tables is None and not table.exists():
            found.append(TableScan(table=name, version=None))
            continue
        snapshot = table.snapshot(version=version)
        found.append(
            _scan_table(table, snapshot, classifier=classifier, memory=memory, sample=sample, seed=seed)
        )
    result = ScanResult(at=now, seed=seed, sample=sample, missing=finder.missing, tables=tuple(found))
    if memory is not None:
        memory.keep(result.tables, now=now, seed=seed, sample=sample)
    return result


def _check(tables: Sequence[str] | None, *, sample: int, seed: int, version: int | None) -> None:
    if isinstance(tables, str):
        raise UsageError(f"tables is a list of names, not a text: [{tables!r}]")
    for name, value, least in (("sample", sample, 1), ("seed", seed, 0)):
        if type(value) is not int or not least <= value <= MOST_VALUES:
            raise UsageError(f"{name} is a whole number from {least} to {MOST_VALUES:,}")
    if version is not None and (tables is None or len(set(tables)) != 1):
        raise UsageError("a version is one of a single table", advice="name the table")


def _scan_table(
    table: Table,
    snapshot: Snapshot,
    *,
    classifier: Classifier,
    memory: ScanMemory | None,
    sample: int,
    seed: int,
) -> TableScan:
    ensure_readable(snapshot)
    declared = _declared(table, snapshot)
    columns: list[ColumnFinding] = []
    unread: list[Unread] = []
    undeclared: list[str] = []
    paths = sampled = 0
    pieces = sample_columns(table.storage, snapshot, table=table.name, wanted=sample, seed=seed)
    for values in (each for piece in pieces for each in piece):
        paths += 1
        sampled = max(sampled, values.sampled)
        if values.note and not values.filled:
            unread.append(Unread(path=str(values.path), reason=values.note))
            continue
        said = _said_of(values.path, declared)
        finding = classifier.judge(values, table=table.name, declared=said or ()).finding
        if finding is not None:
            columns.append(finding)
            if said is None:
                undeclared.append(finding.path)
    before = memory.last(table.name) if memory is not None else None
    return TableScan(
        table=table.name,
        version=snapshot.version,
        columns=tuple(columns),
        paths=paths,
        sampled=sampled,
        unread=tuple(unread),
        undeclared=tuple(undeclared),
        drift=drift_since(before, columns, undeclared=undeclared),
    )


def _declared(table: Table, snapshot: Snapshot) -> dict[ColumnPath, tuple[str, ...]]:
    names = snapshot.schema.names
    # Of a masked copy the config says nothing, and the table itself says what is masked in it.
    found: dict[ColumnPath, tuple[str, ...]] = {
        _path(text, names): () for text in marks_of(snapshot.configuration)
    }
    said = {_path(text, names): tuple(about.entities) for text, about in table.config.pii.items()}
    return {**found, **said}


def _path(text: str, names: Sequence[str]) -> ColumnPath:
    try:
        return parse_path(text, columns=names)
    except UsageError:
        return ColumnPath(text)


def _said_of(path: ColumnPath, declared: Mapping[ColumnPath, tuple[str, ...]]) -> tuple[str, ...] | None:
    """What the config says of a path, or of what it is a part of."""
    for length in range(len(path.steps), -1, -1):
        said = declared.get(ColumnPath(path.column, path.steps[:length]))
        if said is not None:
            return said
    return None


def last_scan(place: ScanPlace, table: str) -> LastScan | None:
    """What the newest scan of a table found.

    Args:
        place: The lake.
        table: The table's name.

    Returns:
        When, at which version, and the kinds at each path; None where there was no scan.
    """
    record = ScanMemory(place.control).last(table) if place.control is not None else None
    if record is None:
        return None
    columns = {path: tuple(sorted(kinds)) for path, kinds in kinds_of(record.document).items()}
    return LastScan(at=record.at, version=record.version, columns=columns)
