"""Rules over columns that are stored under a key of each person: it must be told whose a row is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lakehouse.config.document import Steps
from lakehouse.config.models import TableConfig
from lakehouse.config.nearest import listed
from lakehouse.config.references.lookup import Finding, Lookup, column_of
from lakehouse.config.shredding import holders, identifier_of, searched_for

_TOLD_APART: Final = ("string", "long", "integer", "short", "byte")
_IN_MEMORY: Final = ("sqlite://", "sqlite:///", "sqlite:///:memory:")


def shredding_findings(lookup: Lookup) -> Iterator[Finding]:
    """Checks the columns with `shred`.

    Args:
        lookup: The names that there are.

    Yields:
        What is wrong.
    """
    for name, table in lookup.config.tables.items():
        for column, about in table.pii.items():
            if about.shred is None:
                continue
            way: Steps = ("tables", name, "pii", column, "shred")
            if about.shred not in lookup.subjects:
                known = f"; subjects: {listed(lookup.subjects)}" if lookup.subjects else ""
                yield Finding(way, f"there is no subject `{about.shred}`{known}")
                continue
            if about.shred not in lookup.config.subjects:
                continue  # what is wrong with it is said where it stands
            message = (
                _column(lookup, name, table, column)
                or _holder(lookup, name, column, about.shred)
                or _state(lookup)
            )
            if message:
                yield Finding(way, message)


def _column(lookup: Lookup, name: str, table: TableConfig, column: str) -> str:
    """Why a column can't be shredded; empty where it can."""
    if column_of(column) != column and column not in (lookup.columns(name) or ()):
        return "only whole columns can be shredded, and this is a path into one"
    kind = lookup.type_of(name, column)
    if kind is not None and kind != "string":
        return f"only texts can be shredded, and `{column}` is of the type `{kind}`: store it as `string`"
    reasons = {
        **dict.fromkeys(table.changes.sequence or (), "it orders the changes of a row"),
        **dict.fromkeys(table.partition_by, "it says in which folder a row is"),
        **dict.fromkeys(table.key, "it is part of the key, by which rows are found"),
    }
    if column in reasons:
        return f"`{column}` can't be shredded, since {reasons[column]}"
    subject = searched_for(lookup.config, name).get(column)
    if subject is not None:
        return (
            f"`{column}` can't be shredded, since people are found in its texts (`subjects.{subject}.rows`), "
            "and no word is found in what is encrypted: take it out of `text`, or leave `shred` out"
        )
    return ""


def _holder(lookup: Lookup, name: str, column: str, subject: str) -> str:
    found = holders(lookup.config, name, subject)
    identifier = identifier_of(lookup.config, subject)
    if column in found:
        others = [each for each in lookup.config.subjects[subject].identifiers if each != identifier]
        return (
            f"`{column}` can't be shredded, since it says whose the row is: it holds `{identifier}`, the "
            f"first identifier of `{subject}`, to which the keys belong"
            + (
                f"; put another one first that stands in `{name}` too ({listed(others)})"
                if others
                else f", and `{subject}` has no other one; name one that is stored clear, and put it first"
            )
        )
    if not found:
        return (
            f"whose a row of `{name}` is can't be told: no column is said to hold `{identifier}`, the first "
            f"identifier of `{subject}`, to which the keys belong; name it in `subjects.{subject}.rows`"
        )
    if len(found) > 1:
        return (
            f"whose `{column}` is can't be told: {listed(found)} hold `{identifier}` of `{subject}`, "
            "two people in one row"
        )
    if any(each.table == name and each.do == "keep" for each in lookup.config.subjects[subject].rows):
        return (
            f"an erasure of the {subject} keeps the rows of `{name}` (`do: keep`), and would destroy "
            f"`{column}` in them with the key of the person"
        )
    kind = lookup.type_of(name, found[0])
    if kind is not None and kind not in _TOLD_APART:
        return (
            f"`{found[0]}` says whose a row is, and is of the type `{kind}`: it must be text or whole numbers"
        )
    return ""


def _state(lookup: Lookup) -> str:
    root = lookup.config.storage.root
    if lookup.config.state.get_secret_value() in _IN_MEMORY and not root.startswith("memory:"):
        return "the keys of people lie in the state database, and that in `state` is gone with the process"
    return ""
