"""Rules over a table's keys and columns that no single key can check."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from lakehouse.config.document import Steps
from lakehouse.config.models import RetentionRule, TableConfig
from lakehouse.config.nearest import suggestion
from lakehouse.config.references.lookup import Finding, Lookup, column_findings, column_of

_NAME: Final = re.compile(r"[^\W_][\w-]*")
_LONGEST_NAME: Final = 128
QUARANTINE: Final = "__quarantine"
# Refused in names where a table has no column mapping (Delta protocol, section "Column Mapping").
_FORBIDDEN: Final = re.compile(r"[ ,;{}()\n\t=]")
_HISTORY_COLUMNS: Final = frozenset({"_valid_from", "_valid_to", "_is_current"})
_FEED_COLUMNS: Final = frozenset({"_change_type", "_commit_version", "_commit_timestamp"})
_CHANGE_COLUMNS: Final = frozenset({"_op", "_sequence"})
_NESTED: Final = ("array<", "map<", "struct<")
_MOMENTS: Final = frozenset({"date", "timestamp", "timestamp_ntz"})
_NUMBERS: Final = ("long", "integer", "short", "byte", "double", "float", "decimal(")


def table_findings(lookup: Lookup) -> Iterator[Finding]:
    """Checks all tables.

    Args:
        lookup: The names that there are.

    Yields:
        What is wrong.
    """
    yield from _names(lookup.tables)
    yield from _shared_retention(lookup)
    for name, table in lookup.config.tables.items():
        way = ("tables", name)
        yield from _schema(lookup, name, table)
        yield from _key_and_partitions(lookup, name, table)
        yield from _columns(lookup, name, table)
        yield from _twice([each.name for each in table.expect], (*way, "expect"))
        yield from _retention(lookup, name, table)


def _names(names: tuple[str, ...]) -> Iterator[Finding]:
    folded: dict[str, str] = {}
    for name in names:
        way = ("tables", name)
        problem = name_problem(name)
        if problem is not None:
            yield Finding(way, problem, on_key=True)
        first = folded.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if first != name:
            message = (
                f"`{name}` differs from the table `{first}` only in case; not every store tells them apart"
            )
            yield Finding(way, message, on_key=True)


def name_problem(name: str) -> str | None:
    """Why a table can't have a name; None where it can.

    Args:
        name: The name.
    """
    if name.startswith("_"):
        return f"`{name}`: names that begin with `_` are the lake's own"
    if name.endswith(QUARANTINE):
        return f"`{name}`: names that end in `{QUARANTINE}` are the lake's own"
    if _NAME.fullmatch(name) is None or len(name) > _LONGEST_NAME:
        return f"`{name}` can't name a table: letters, digits, `_` and `-`, at most {_LONGEST_NAME}"
    return None


def _schema(lookup: Lookup, name: str, table: TableConfig) -> Iterator[Finding]:
    reserved: dict[str, str] = {}
    if table.history.mode == "full":
        reserved |= dict.fromkeys(_HISTORY_COLUMNS, "`history: full`")
    if table.change_feed:
        reserved |= dict.fromkeys(_FEED_COLUMNS, "the change feed")
    if table.changes.format == "rows":
        reserved |= dict.fromkeys(_CHANGE_COLUMNS, "`format: rows`")
    folded: dict[str, str] = {}
    for column in lookup.columns(name) or ():
        way = ("tables", name, "schema", column)
        first = folded.setdefault(column.casefold(), column)
        if first != column:
            message = (
                f"`{column}` differs from the column `{first}` only in case, which Delta does not tell apart"
            )
            yield Finding(way, message, on_key=True)
        if column.lower() in reserved:
            message = f"`{column}` can't be a column of its own: {reserved[column.lower()]} uses the name"
            yield Finding(way, message, on_key=True)
        elif column.startswith("__"):
            yield Finding(way, f"`{column}`: columns that begin with `__` are the lake's own", on_key=True)
        elif _FORBIDDEN.search(column) or not column:
            message = f"`{column}` can't name a column: no blanks, tabs, commas, semicolons, brackets or `=`"
            yield Finding(way, message, on_key=True)


def _key_and_partitions(lookup: Lookup, name: str, table: TableConfig) -> Iterator[Finding]:
    for label, columns in (
        ("key", table.key),
        ("partition_by", table.partition_by),
        ("compact.cluster_by", table.compact.cluster_by),
    ):
        way: Steps = ("tables", name, *label.split("."))
        yield from column_findings(lookup, name, columns, way, must_be_first=True)
        for at, column in enumerate(columns):
            kind = lookup.type_of(name, column) or ""
            if kind.startswith(_NESTED):
                message = f"`{column}` is of the type `{kind}`, which can't stand in `{label}`"
                yield Finding((*way, at), message)
    known = lookup.columns(name)
    if known is not None and table.partition_by and set(table.partition_by) >= set(known):
        message = "all columns of the `schema` are partition columns; a file needs at least one of its own"
        yield Finding(("tables", name, "partition_by"), message)
    if table.history.mode == "full" and not table.key:
        message = "`history: full` needs a `key`: it tells the versions of one row from those of another"
        yield Finding(("tables", name, "history"), message)


def _columns(lookup: Lookup, name: str, table: TableConfig) -> Iterator[Finding]:
    """The other places that name columns of the table."""
    way: Steps = ("tables", name)
    sequence = tuple(each for each in table.changes.sequence or ())
    for found in column_findings(lookup, name, sequence, (*way, "changes", "sequence")):
        if sequence[int(found.way[-1])] not in _CHANGE_COLUMNS:
            yield found
    yield from column_findings(lookup, name, table.history.track or (), (*way, "history", "track"))
    yield from column_findings(
        lookup, name, table.history.track_except or (), (*way, "history", "track_except")
    )
    for label, named in (("pii", tuple(table.pii)), ("changes.encodings", tuple(table.changes.encodings))):
        for column in named:
            message = lookup.no_column(name, column_of(column) if label == "pii" else column)
            if message:
                yield Finding((*way, *label.split("."), column), message, on_key=True)


def _retention(lookup: Lookup, name: str, table: TableConfig) -> Iterator[Finding]:
    way: Steps = ("tables", name, "retention")
    yield from _twice([rule.name for rule in table.retention], way)
    seen_versions = False
    for at, rule in enumerate(table.retention):
        here = (*way, at)
        if rule.versions is not None:
            if seen_versions:
                yield Finding((*here, "versions"), "a second rule for versions: a table has one")
            seen_versions = True
        if rule.column is not None:
            yield from _row_rule(lookup, name, rule, here)
        yield from column_findings(lookup, name, rule.columns or (), (*here, "columns"))
        if rule.action == "anonymize":
            yield from _anonymized(table, rule, here)
            if not rule.columns and not table.pii:
                message = "there is nothing to anonymize: give `columns`, or say in `pii` what is personal"
                yield Finding((*here, "action"), message)
        if rule.to is not None:
            yield from _archive(lookup, rule.to, (*here, "to"))


def _anonymized(table: TableConfig, rule: RetentionRule, way: Steps) -> Iterator[Finding]:
    """Columns by which rows are found or ordered stay as they are."""
    fixed = {
        **dict.fromkeys(table.changes.sequence or (), "it orders the changes of a row"),
        **dict.fromkeys(table.partition_by, "it says in which folder a row is"),
        **dict.fromkeys(table.key, "it is part of the key"),
    }
    for at, column in enumerate(rule.columns or ()):
        if column in fixed:
            message = (
                f"`{column}` can't be anonymized, since {fixed[column]}: leave it out, or delete the rows"
            )
            yield Finding((*way, "columns", at), message)
    for column in () if rule.columns else table.pii:
        if column in fixed:
            message = f"`{column}` can't be anonymized, since {fixed[column]}: say in `columns` which can"
            yield Finding((*way, "action"), message)


def _shared_retention(lookup: Lookup) -> Iterator[Finding]:
    """The rules for all tables: their columns must be somewhere, and fit wherever they are."""
    rules = lookup.config.retention
    yield from _twice([rule.name for rule in rules], ("retention",))
    versions = [at for at, rule in enumerate(rules) if rule.versions is not None]
    for at in versions[1:]:
        yield Finding(
            ("retention", at, "versions"), "a second rule for versions: there is one for all tables"
        )
    for at, rule in enumerate(rules):
        way: Steps = ("retention", at)
        if rule.to is not None:
            yield from _archive(lookup, rule.to, (*way, "to"))
        if rule.column is None:
            continue
        column = rule.column
        known = {name: lookup.columns(name) for name in lookup.config.tables}
        having = [name for name, columns in known.items() if columns is not None and column in columns]
        if not having and known and None not in known.values():
            every = tuple(dict.fromkeys(each for columns in known.values() for each in columns or ()))
            message = f"no table has a column `{column}`{suggestion(column, every, what='columns')}"
            yield Finding((*way, "column"), message)
        for name in having:
            table = lookup.config.tables[name]
            if rule.name not in {own.name for own in table.retention}:
                masked = _anonymized(table, rule, way) if rule.action == "anonymize" else ()
                for finding in (*_row_rule(lookup, name, rule, way), *masked):
                    yield Finding(finding.way, f"{finding.message} (table `{name}`)")


def _row_rule(lookup: Lookup, name: str, rule: RetentionRule, way: Steps) -> Iterator[Finding]:
    column = str(rule.column)
    message = lookup.no_column(name, column)
    if message:
        yield Finding((*way, "column"), message)
    kind = lookup.type_of(name, column)
    if kind in _MOMENTS and rule.unit is not None:
        yield Finding((*way, "unit"), f"`{column}` is of the type `{kind}`; `unit` is for numbers")
    elif kind is not None and kind.startswith(_NUMBERS) and rule.unit is None:
        message = f"`{column}` is a number (`{kind}`): say in `unit` what it counts since 1970"
        yield Finding((*way, "column"), message)
    elif kind is not None and kind not in _MOMENTS and not kind.startswith(_NUMBERS):
        message = f"`{column}` is of the type `{kind}`: an age needs a date, a timestamp or a number"
        yield Finding((*way, "column"), message)


def _archive(lookup: Lookup, target: str, way: Steps) -> Iterator[Finding]:
    if "://" in target or target.startswith("/"):
        return
    first = target.removeprefix("./").partition("/")[0]
    # A vacuum takes away what lies in a table's folder and is in no version: of a quarantine as well.
    if first.removesuffix("__quarantine") in lookup.tables:
        yield Finding(way, f"the archive would lie inside the table `{first}`; name another folder")


def _twice(names: list[str], way: Steps) -> Iterator[Finding]:
    for at, name in enumerate(names):
        first = names.index(name)
        if first < at:
            yield Finding((*way, at, "name"), f"the name `{name}` is there twice, first in entry {first + 1}")
