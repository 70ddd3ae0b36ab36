"""Which files a rule is about, by their statistics alone: pure, and fast over many files.

A file is *whole* where its statistics show that every row is past its time; such a file goes without being
opened. It is *part* where some rows can be, so that it has to be looked into. Statistics of any writer are
taken as `lakehouse.delta.bounds` widens them, and what they don't say counts as "can be".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from lakehouse.config.models import RetentionRule
from lakehouse.delta.actions import AddFile
from lakehouse.delta.bounds import max_name, min_name, nulls_name
from lakehouse.delta.bounds_quick import quick_bounds
from lakehouse.delta.snapshot import Snapshot
from lakehouse.protection import Protection
from lakehouse.retention.conditions import Condition
from lakehouse.retention.cutoff import Cutoff, cutoff_at
from lakehouse.retention.neutral import Neutral

_AHEAD: Final = timedelta(days=1)

Numbers = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyRule:
    """A rule for rows, resolved against one version of a table.

    Args:
        rule: As the config has it.
        cutoff: From when on rows are past.
        where: The rule's condition; None without one.
        neutral: What ``anonymize`` writes.
    """

    rule: RetentionRule
    cutoff: Cutoff
    where: Condition | None = None
    neutral: tuple[Neutral, ...] = ()

    @property
    def column(self) -> str:
        """The column that says how old a row is."""
        return str(self.rule.column)

    @property
    def is_plain(self) -> bool:
        """Whether the age alone decides, so that a file can go by its statistics."""
        return self.where is None and self.rule.action != "anonymize"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVerdicts:
    """What statistics say of a rule and the files of a version.

    Args:
        whole: Numbers of the files all of whose rows are past.
        part: Numbers of the files some of whose rows can be.
        undated: Rows without a date in the other files, as far as is known.
        undated_exact: Whether that is all of them.
        oldest: The least of what a column holds in the ``whole`` files; None without any.
        newest: The greatest there.
        ahead: Whether some file has dates more than a day in the future.
    """

    whole: Numbers
    part: Numbers
    undated: int
    undated_exact: bool
    oldest: Any
    newest: Any
    ahead: bool


def decide_files(
    snapshot: Snapshot,
    files: Sequence[AddFile],
    rules: Sequence[ReadyRule],
    *,
    protection: Protection,
    now: datetime,
) -> list[FileVerdicts]:
    """Sorts the files of a version for each rule.

    Args:
        snapshot: The version.
        files: Its files.
        rules: The rules.
        protection: What holds protect: with a hold on some rows, no file goes unopened.
        now: The moment (timezone-aware).

    Returns:
        For each rule what is to be done with which file.
    """
    if not rules:
        return []
    columns = dict.fromkeys(ready.column for ready in rules)
    bounds = {name: quick_bounds(files, name, snapshot=snapshot) for name in columns}
    held = bool(protection.conditions)
    vectors = (add.deletion_vector for add in files)
    hidden = pl.Series(
        "hidden", [0 if each is None else each.cardinality for each in vectors], dtype=pl.Int64
    )
    frames = {name: frame.with_columns(hidden) for name, frame in bounds.items()}
    return [_of_rule(frames[ready.column], ready, held=held, now=now) for ready in rules]


def _of_rule(bounds: pl.DataFrame, ready: ReadyRule, *, held: bool, now: datetime) -> FileVerdicts:
    cutoff, name = ready.cutoff, ready.column
    low, high, nulls = pl.col(min_name(name)), pl.col(max_name(name)), pl.col(nulls_name(name))
    records = pl.col("num_records")
    sure = cutoff.trusts_bounds and ready.is_plain and not held
    past = cutoff.past(high) & (nulls == 0) & (records > 0)
    # All rows without a date, or the oldest of them young enough: nothing to do there.
    idle = (nulls == records) | ~cutoff.past(low)
    limit = cutoff_at(now + _AHEAD, cutoff.type, unit=cutoff.unit, zone=ZoneInfo(ready.rule.timezone))
    found = bounds.select(
        whole=past.fill_null(value=False) if sure else pl.lit(value=False),
        idle=idle.fill_null(value=False),
        # Where a vector hides rows, nulls are only known to be none or all of the file's rows.
        nulls=pl.when(nulls == records).then(nulls - pl.col("hidden")).otherwise(nulls),
        low=low,
        high=high,
        ahead=cutoff.after(high, limit).fill_null(value=False),
    )
    whole, idle_files = found["whole"], found["idle"] & ~found["whole"]
    part = ~(whole | idle_files)
    nulls_idle = found["nulls"].filter(idle_files)
    going = found.filter(whole)
    return FileVerdicts(
        whole=np.flatnonzero(whole.to_numpy()),
        part=np.flatnonzero(part.to_numpy()),
        undated=int(nulls_idle.sum() or 0),
        undated_exact=nulls_idle.null_count() == 0 and cutoff.trusts_bounds,
        oldest=going["low"].min(),
        newest=going["high"].max(),
        ahead=bool(found["ahead"].any()),
    )
