"""Looks at tables for lineage: columns, rules, and what a version has written."""

from __future__ import annotations

from lakehouse.delta.actions import AddFile
from lakehouse.delta.log import read_commit
from lakehouse.errors import LakehouseError
from lakehouse.jobs.context import Lake
from lakehouse.observability.lineage.story import TableStory, place_of


def describe(lake: Lake, name: str, *, version: int | None) -> TableStory:
    """What there is to tell of a table.

    Args:
        lake: The lake.
        name: The table.
        version: The version that a run made; None where it made none: then nothing but the config is read.
    """
    section = lake.config.tables.get(name)
    table = lake.table(name)
    namespace, path, uri = place_of(table.storage.url)
    columns: tuple[tuple[str, str], ...] = ()
    written: tuple[int | None, int | None, int | None] = (None, None, None)
    if section is not None and section.column_schema:
        columns = tuple(section.column_schema.items())
    if version is not None:
        try:
            fields = table.snapshot(version=version).schema.fields
            columns = tuple((each.name, str(each.type)) for each in fields)
            written = _written(lake, name, version)
        except LakehouseError:
            # It may be gone by now: what the config says is told then.
            pass
    rows, size, files = written
    return TableStory(
        name=name,
        namespace=namespace,
        path=path,
        uri=uri,
        owner="" if section is None else section.owner,
        columns=columns,
        rules=() if section is None else _rules(lake, name),
        version=version,
        rows=rows,
        bytes=size,
        files=files,
    )


def _rules(lake: Lake, name: str) -> tuple[dict[str, object], ...]:
    found: list[dict[str, object]] = []
    for rule in lake.config.retention_of(name):
        told = {"name": rule.name, "kind": rule.kind, "column": rule.column, "action": rule.action}
        if rule.keep is not None:
            told["keep"] = str(rule.keep)
        found.append({key: value for key, value in told.items() if value is not None})
    return tuple(found)


def _written(lake: Lake, name: str, version: int) -> tuple[int | None, int | None, int | None]:
    commit = read_commit(lake.table(name).storage, version)
    added = [each for each in commit.actions if isinstance(each, AddFile)]
    rows = [each.live_records for each in added]
    known = [each for each in rows if each is not None]
    return (
        sum(known) if len(known) == len(rows) else None,
        sum(each.size for each in added),
        len(added),
    )
