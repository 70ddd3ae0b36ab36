"""Rules over subjects and roles: the tables and columns that they name."""

from __future__ import annotations

from collections.abc import Iterator

from lakehouse.config.document import Steps
from lakehouse.config.models import SubjectConfig, SubjectRows
from lakehouse.config.nearest import suggestion
from lakehouse.config.references.lookup import Finding, Lookup, column_findings


def people_findings(lookup: Lookup) -> Iterator[Finding]:
    """Checks subjects and roles.

    Args:
        lookup: The names that there are.

    Yields:
        What is wrong.
    """
    for name, subject in lookup.config.subjects.items():
        yield from _identifiers(lookup, subject, ("subjects", name, "identifiers"))
        for at, rows in enumerate(subject.rows):
            yield from _rows(lookup, subject, rows, ("subjects", name, "rows", at))
    for name, role in lookup.config.roles.items():
        way = ("roles", name)
        allowed = lookup.tables if role.tables == "all" else role.tables
        if role.tables != "all":
            yield from selection_findings(lookup, role.tables, (*way, "tables"))
        for table in role.rows:
            message = lookup.no_table(table)
            if not message and table not in allowed:
                message = (
                    f"the role may not read the table `{table}`: add it to `tables`, or leave its rows out"
                )
            if message:
                yield Finding((*way, "rows", table), message, on_key=True)


def selection_findings(lookup: Lookup, tables: tuple[str, ...], way: Steps) -> Iterator[Finding]:
    """Looks up a list of tables.

    Args:
        lookup: The names that there are.
        tables: Tables.
        way: The way to the list.

    Yields:
        One finding for each table that is not there.
    """
    for at, table in enumerate(tables):
        message = lookup.no_table(table)
        if message:
            yield Finding((*way, at), message)


def _identifiers(lookup: Lookup, subject: SubjectConfig, way: Steps) -> Iterator[Finding]:
    for name, place in subject.identifiers.items():
        table, _, column = place.partition(".")
        message = lookup.no_table(table) or lookup.no_column(table, column)
        if message:
            yield Finding((*way, name), message)


def _rows(lookup: Lookup, subject: SubjectConfig, rows: SubjectRows, way: Steps) -> Iterator[Finding]:
    message = lookup.no_table(rows.table)
    if message:
        yield Finding((*way, "table"), message)
    for column, identifier in rows.where.items():
        missing = "" if message else lookup.no_column(rows.table, column)
        if missing:
            yield Finding((*way, "where", column), missing, on_key=True)
        if identifier not in subject.identifiers:
            known = suggestion(identifier, subject.identifiers, what="identifiers")
            yield Finding((*way, "where", column), f"there is no identifier `{identifier}`{known}")
    if not message:
        yield from column_findings(lookup, rows.table, rows.columns or (), (*way, "columns"))
