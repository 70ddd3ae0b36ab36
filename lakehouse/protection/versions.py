"""Which versions of a table stay readable, each with its reasons. Pure: all it rests on is handed in.

**With rules** (``versions: {last, hourly, daily, weekly, monthly}``) the newest versions come first, by
number:

- ``last: 3`` keeps the three newest.
- ``daily: 7`` keeps the last version of a day, for seven days: the seven newest days *in which a version was
  made*. Days without one don't count, as in borg and restic; so a rule never takes the only trace of a quiet
  month away, and a clock that runs ahead takes nothing. ``hourly``, ``weekly`` and ``monthly`` likewise.
- Each counts by itself (as in restic): what ``hourly`` keeps counts for ``daily`` too. A table's rules add
  up.
- Days, weeks (ISO: from Monday) and months are those of the rule's time zone. Where a clock is set back, the
  hour that comes twice is two hours.
- The last of a period is the one with the highest number, whatever its clock said. Where clocks jump back,
  a period that comes again later in the row does not count again.

**Without rules** it is Delta's own: all that was the current version at some time within
``delta.deletedFileRetentionDuration`` (7 days unless set).

**Always**: the newest version, tagged versions, what holds need, and what was the current version a moment
ago (``grace``), since somebody may be reading it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from lakehouse.config.durations import format_duration
from lakehouse.config.models.retention import VersionsToKeep

NEWEST: Final = "newest"


@dataclass(frozen=True, slots=True)
class VersionMade:
    """A version that can be read.

    Args:
        version: Its number.
        made: When it was made (timezone-aware).
    """

    version: int
    made: datetime


@dataclass(frozen=True, slots=True)
class VersionRule:
    """A rule for versions, from the config.

    Args:
        name: What plans call it.
        keep: How many of what.
        timezone: Where a day, week and month begin.
    """

    name: str
    keep: VersionsToKeep
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a version.

    Args:
        version: Its number.
        made: When it was made.
        reasons: Why it stays, as ``newest``, ``last 3 of 20``, ``daily 2026-11-24``, ``tag q4``,
            ``hold case-7``; none where it goes.
        why_not: Why it goes: which rule does not keep it; empty where it stays.
    """

    version: int
    made: datetime
    reasons: tuple[str, ...]
    why_not: str = ""

    @property
    def keep(self) -> bool:
        """Whether it stays readable."""
        return bool(self.reasons)


def judge_versions(
    versions: Sequence[VersionMade],
    *,
    rules: Sequence[VersionRule] = (),
    tags: Mapping[int, Sequence[str]] | None = None,
    holds: Mapping[int, Sequence[str]] | None = None,
    now: datetime,
    window: timedelta,
    grace: timedelta = timedelta(0),
) -> tuple[Verdict, ...]:
    """Says of each version whether it stays readable, and why.

    Args:
        versions: Those that can be read now, in any order, each number once.
        rules: The table's rules for versions; all that one of them keeps stays. None: ``window`` counts.
        tags: Version to the names that it has.
        holds: Version to the ids of holds that need it.
        now: The time (timezone-aware). Rules don't look at it, only ``window`` and ``grace`` do.
        window: Without rules: how long a version stays after another one took its place.
        grace: With rules: the same, for those who are reading.

    Returns:
        The verdicts, oldest version first. The newest always stays.
    """
    ordered = sorted(versions, key=lambda each: each.version)
    reasons: dict[int, list[str]] = {each.version: [] for each in ordered}
    if ordered:
        reasons[ordered[-1].version].append(NEWEST)
    for rule in rules:
        for version, reason in _kept_by(rule, ordered[::-1]):
            if reason not in reasons[version]:
                reasons[version].append(reason)
    for version, reason in _still_fresh(ordered, now=now, since=grace if rules else window):
        reasons[version].append(reason)
    for found, word in ((tags or {}, "tag"), (holds or {}, "hold")):
        for version, names in found.items():
            if version in reasons:
                reasons[version] += [f"{word} {name}" for name in names]
    lost = _why_not(rules, window)
    return tuple(
        Verdict(each.version, each.made, tuple(why), "" if why else lost)
        for each in ordered
        for why in [reasons[each.version]]
    )


def _why_not(rules: Sequence[VersionRule], window: timedelta) -> str:
    if not rules:
        return f"replaced more than {format_duration(window)} ago (delta.deletedFileRetentionDuration)"
    names = ", ".join(rule.name for rule in rules)
    return f"not kept by {'rule' if len(rules) == 1 else 'rules'} {names}"


def _kept_by(rule: VersionRule, newest_first: Sequence[VersionMade]) -> list[tuple[int, str]]:
    zone = ZoneInfo(rule.timezone)
    keep = rule.keep
    kept = [
        (each.version, f"last {number} of {keep.last}")
        for number, each in enumerate(newest_first[: keep.last], start=1)
    ]
    for name, count, period in (
        ("hourly", keep.hourly, _hour),
        ("daily", keep.daily, _day),
        ("weekly", keep.weekly, _week),
        ("monthly", keep.monthly, _month),
    ):
        kept += _last_of_each(newest_first, name=name, count=count, zone=zone, period=period)
    return kept


def _last_of_each(
    newest_first: Sequence[VersionMade],
    *,
    name: str,
    count: int,
    zone: ZoneInfo,
    period: Callable[[datetime], tuple[Hashable, str]],
) -> list[tuple[int, str]]:
    kept: list[tuple[int, str]] = []
    seen: set[Hashable] = set()
    for each in newest_first:
        if len(seen) == count:
            break
        key, spoken = period(each.made.astimezone(zone))
        if key not in seen:
            seen.add(key)
            kept.append((each.version, f"{name} {spoken}"))
    return kept


def _hour(moment: datetime) -> tuple[Hashable, str]:
    # With the offset, since the hour before clocks are set back comes twice.
    return moment.strftime("%Y-%m-%d %H:00%z"), moment.strftime("%Y-%m-%d %H:00")


def _day(moment: datetime) -> tuple[Hashable, str]:
    return moment.date(), moment.date().isoformat()


def _week(moment: datetime) -> tuple[Hashable, str]:
    year, week, _ = moment.isocalendar()
    return (year, week), f"{year}-W{week:02d}"


def _month(moment: datetime) -> tuple[Hashable, str]:
    return (moment.year, moment.month), f"{moment.year}-{moment.month:02d}"


def _still_fresh(ordered: Sequence[VersionMade], *, now: datetime, since: timedelta) -> list[tuple[int, str]]:
    """The versions that were current at some time since then, without the newest."""
    kept: list[tuple[int, str]] = []
    if not since:
        return kept
    for each, successor in itertools.pairwise(ordered):
        # Where the clock went back, the successor seems older: the later of both times keeps more.
        left = max(each.made, successor.made)
        if now - left < since:
            kept.append((each.version, f"current within {format_duration(since)}"))
    return kept
