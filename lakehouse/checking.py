"""The check of a table with all that its rooms know: files and log, rules, memory of deletes, freshness."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.config.models import TableConfig
from lakehouse.delta.features import ensure_readable
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.errors import CorruptTableError, NotFoundError, UnsupportedFeatureError, UsageError
from lakehouse.maintenance.freshness import freshness
from lakehouse.maintenance.verify import Finding, RowRule, VerifyReport, repair, unreadable, verify
from lakehouse.maintenance.verify.check import Step
from lakehouse.merge.constraints import Rule, rules_of
from lakehouse.merge.tombstones import APP_ID, FOLDER, load_manifest
from lakehouse.storage import Storage

_CHECK: Final = "delta.constraints."


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What is checked, and how closely.

    Args:
        table: The table's name.
        config: Its section of the config.
        clock: Gives the time.
        full: Whether everything is read rather than a sample.
        seed: Which sample; None means the version's own.
        step: Told how far the check is.
    """

    table: str
    config: TableConfig
    clock: Callable[[], datetime]
    full: bool = False
    seed: int | None = None
    step: Step | None = None


def check_table(storage: Storage, check: Check, *, version: int | None = None) -> VerifyReport:
    """Check a version of a table, as its log and files are at this moment: nothing is remembered from before.

    Args:
        storage: The table's folder.
        check: What, and how closely.
        version: Which version; None means the newest, which is also judged by the expectations on freshness.

    Returns:
        What was checked and what is wrong.

    Raises:
        TableNotFoundError: There is no table.
        VersionNotFoundError: The version is not there.
        UnsupportedFeatureError: The table can't be read here.
    """
    try:
        snapshot = load_snapshot(storage, version=version)
    except CorruptTableError as error:
        return unreadable(error, table=check.table)
    ensure_readable(snapshot)
    now = check.clock()
    return verify(
        storage,
        snapshot,
        table=check.table,
        fresh=freshness(storage, snapshot, check.config.expect, now=now) if version is None else (),
        rules=row_rules(snapshot),
        more=[lambda: check_memory(storage, snapshot)],
        full=check.full,
        seed=check.seed,
        now=now,
        step=check.step,
    )


def check_and_repair(storage: Storage, check: Check, *, found: VerifyReport | None = None) -> VerifyReport:
    """Check a table, mend what loses nothing, and check it again.

    Args:
        storage: The table's folder.
        check: What, and how closely.
        found: What a check of it has just found; None to check first.

    Returns:
        What is wrong after it, with what was mended.

    Raises:
        UsageError: What was found was found of another table.
        ConflictError: Another writer changed the table meanwhile.
    """
    report = check_table(storage, check) if found is None else found
    if report.table != check.table:
        raise UsageError(f"the report is of table {report.table}, not of {check.table}")
    if not report.plan:
        return report
    done = repair(storage, report.plan, table=check.table, clock=check.clock)
    # The same sample again, though a repair may have made a version.
    again = replace(check, seed=report.version if check.seed is None else check.seed)
    return replace(check_table(storage, again), repaired=tuple(done))


def row_rules(snapshot: Snapshot) -> list[RowRule]:
    """The rules that rows of a version meet: not-null columns, invariants, check constraints.

    Args:
        snapshot: The version.

    Returns:
        Its rules; one whose SQL can't be read here is there too, and says that it can't be told.
    """
    found = {rule.misfit.detail: _as_rule(rule) for rule in _readable_rules(snapshot)}
    for name in snapshot.configuration:
        if name.startswith(_CHECK):
            detail = f"the table's constraint {name.removeprefix(_CHECK)} does not hold"
            found.setdefault(detail, RowRule((), lambda _: None, detail))
    return list(found.values())


def _readable_rules(snapshot: Snapshot) -> Iterator[Rule]:
    checks = {name: text for name, text in snapshot.configuration.items() if name.startswith(_CHECK)}
    for one in ({}, *({name: text} for name, text in checks.items())):
        try:
            yield from rules_of(snapshot.schema, one)
        except UnsupportedFeatureError:
            continue


def _as_rule(rule: Rule) -> RowRule:
    return RowRule(rule.columns, rule.holds, rule.misfit.detail)


def check_memory(storage: Storage, snapshot: Snapshot) -> Sequence[Finding]:
    """Check that what a version remembers of its deletes is there and can be read.

    Args:
        storage: The table's folder.
        snapshot: The version.

    Returns:
        What is missing or can't be read.
    """
    pointer = snapshot.transactions.get(APP_ID)
    name = f"{FOLDER}/{pointer.version}.json" if pointer is not None else FOLDER
    try:
        manifest = load_manifest(storage, snapshot)
    except CorruptTableError:
        return [Finding("bad_tombstones", name, "the log points at it and it is not there")]
    except (ValueError, KeyError, TypeError):
        return [Finding("bad_tombstones", name, "it can't be read")]
    expected: list[tuple[str, int | None]] = [(item.path, item.rows) for item in manifest.files]
    if manifest.watermark is not None:
        expected.append((manifest.watermark, None))
    return [
        Finding("bad_tombstones", path, what)
        for path, rows in expected
        if (what := _memory_problem(storage, path, rows)) is not None
    ]


def _memory_problem(storage: Storage, path: str, rows: int | None) -> str | None:
    try:
        table = pq.read_table(pa.BufferReader(storage.get(path)), page_checksum_verification=True)
        table.validate(full=True)
    except NotFoundError:
        return "the table's memory of deletes needs it and it is not there"
    except (pa.ArrowException, OSError):
        return "it is no Parquet file that can be read"
    if rows is not None and table.num_rows != rows:
        return f"it should have {rows} tombstones, it has {table.num_rows}"
    return None
