"""What the config says of a table's vacuum. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from lakehouse.config.durations import parse_duration
from lakehouse.config.models.retention import RetentionRule
from lakehouse.errors import UsageError
from lakehouse.maintenance.vacuum.decide import ORPHANS
from lakehouse.maintenance.vacuum.log_cleanup import IN_USE
from lakehouse.protection.versions import VersionRule

GRACE: Final = "1h"
"""How long a version stays after another one took its place, whatever rules say: for who is reading it."""


def grace_of(grace: timedelta | str) -> timedelta:
    """How long a version stays for those who are reading it.

    Args:
        grace: The time, or text as ``90m``.

    Raises:
        UsageError: It is no duration, or negative.
    """
    if not isinstance(grace, timedelta | str):
        raise UsageError("the grace of a vacuum is no duration", advice="write text as 90m, or a timedelta")
    try:
        found = grace if isinstance(grace, timedelta) else parse_duration(grace)
    except ValueError as error:
        raise UsageError(f"the grace of a vacuum: {error}") from None
    if found < timedelta(0):
        raise UsageError("the grace of a vacuum can't be negative", advice="0s keeps nothing for readers")
    return found


def rules_of(rules: Sequence[RetentionRule]) -> tuple[tuple[VersionRule, ...], timedelta]:
    """The rules for versions, and how old leftovers must be.

    Args:
        rules: All rules of the table.

    Returns:
        Both. Of several rules for leftovers the longest counts, and a day is the least: so long a merge of
        ours may take, whose files nobody refers to until it commits.
    """
    versions = tuple(
        VersionRule(rule.name, rule.versions, rule.timezone) for rule in rules if rule.versions is not None
    )
    ages = [rule.orphans for rule in rules if rule.orphans is not None]
    return versions, max([*ages, IN_USE] if ages else [ORPHANS])
