"""What the config says of a table, in words for the person whose rows are in it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lakehouse.config import Config
from lakehouse.config.durations import format_duration
from lakehouse.config.models import RetentionRule
from lakehouse.requests.rules import RowRule

_UNITS: Final = {"h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year"}
_ACTION: Final = {
    "delete": "rows are deleted",
    "archive": "rows are moved into an archive",
    "anonymize": "personal values in rows are masked",
}


def kept_for(config: Config, table: str) -> tuple[str, ...]:
    """How long rows are kept, by the rules of the config.

    Args:
        config: The lake's config.
        table: A table of it.

    Returns:
        A sentence for each rule; one that says that there is none.
    """
    said = tuple(sentence for rule in config.retention_of(table) if (sentence := _rule(rule)))
    return said or ("No rule says how long rows are kept.",)


def erasing(rules: Iterable[RowRule]) -> tuple[str, ...]:
    """What an erasure would do to rows.

    Args:
        rules: The rules by which they were found.
    """
    return tuple(dict.fromkeys(_erasing(rule) for rule in rules))


def grounds(rules: Iterable[RowRule]) -> tuple[str, ...]:
    """Why rows are kept even where an erasure is asked for.

    Args:
        rules: The rules by which they were found.
    """
    return tuple(dict.fromkeys(rule.ground for rule in rules if rule.do == "keep"))


def _erasing(rule: RowRule) -> str:
    match rule.do:
        case "delete":
            return "They would be deleted."
        case "anonymize":
            return f"They would stay, with {', '.join(rule.columns)} emptied."
        case _:
            return f"They would be kept: {rule.ground}."


def _rule(rule: RetentionRule) -> str:
    if rule.kind == "rows" and rule.keep is not None and rule.action is not None:
        unit = _UNITS[rule.keep.unit] + ("" if rule.keep.count == 1 else "s")
        some = " (only some of them)" if rule.where else ""
        return f"{rule.keep.count} {unit} after `{rule.column}`, {_ACTION[rule.action]}{some}."
    if rule.kind == "versions":
        return "Older versions of the table can be read for a while, and then go."
    if rule.orphans is not None:
        return f"Files that nothing needs go after {format_duration(rule.orphans)}."
    return ""
