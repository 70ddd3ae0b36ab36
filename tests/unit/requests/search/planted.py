"""Files with a person in them, and a search of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lakehouse.pii.executor import Here
from lakehouse.requests.needles import Needle
from lakehouse.requests.search import Folder, SearchReport, search
from lakehouse.storage import open_storage

MAIL = "anna.needle@example.org"
SHORT = "4711"
PERSON = (
    Needle("r1", "email", MAIL, (("people", "email"),)),
    Needle("r1", "id", SHORT, (("people", "id"), ("orders", "customer"))),
)


def look(folder: Path, *, needles: Sequence[Needle] = PERSON, table: str = "people") -> SearchReport:
    """Searches a folder as that of a table."""
    place = Folder(storage=open_storage(folder), table=table, shown=table)
    return search([place], needles, executor=Here())


def places(report: SearchReport) -> set[tuple[str, str]]:
    """Which identifier was found at which kind of place."""
    return {(hit.identifier, hit.place) for hit in report.hits}
