"""Rules over tables that are made from others: whoever is in those is in these too."""

from __future__ import annotations

from collections.abc import Iterator

from lakehouse.config.models import SubjectConfig
from lakehouse.config.references.lookup import Finding, Lookup


def derived_findings(lookup: Lookup) -> Iterator[Finding]:
    """Checks what tables are made from, and that nobody's rows in them are forgotten.

    Args:
        lookup: The names that there are.

    Yields:
        What is wrong.
    """
    for name, table in lookup.config.tables.items():
        for at, source in enumerate(table.derived_from):
            way = ("tables", name, "derived_from", at)
            message = lookup.no_table(source)
            if not message and source == name:
                message = f"`{name}` can't be made from itself"
            if message:
                yield Finding(way, message)
                continue
            for subject, about in lookup.config.subjects.items():
                if _has(about, source) and all(rows.table != name for rows in about.rows):
                    yield Finding(
                        way,
                        f"people of `{subject}` are in `{source}`, so they are here too: say in "
                        f"`subjects.{subject}.rows` what an erasure does with the rows of `{name}` "
                        "(`do: keep` with a `ground`, if nothing)",
                    )


def _has(subject: SubjectConfig, table: str) -> bool:
    identified = {place.partition(".")[0] for place in subject.identifiers.values()}
    return table in identified or any(rows.table == table for rows in subject.rows)
