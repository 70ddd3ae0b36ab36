"""Access: everything about a person as one file, for that person, with other people's data masked."""

from __future__ import annotations

from lakehouse.requests.access.answering import Answering, Identified
from lakehouse.requests.access.archives import archive_source
from lakehouse.requests.access.bundle import bundle
from lakehouse.requests.access.judging import Asked
from lakehouse.requests.access.one_person import ensure_one, ensure_one_row
from lakehouse.requests.access.result import Bundle, Bundled
from lakehouse.requests.access.sources import Part, Source, table_source
from lakehouse.requests.access.writing import target

__all__ = [
    "Answering",
    "Asked",
    "Bundle",
    "Bundled",
    "Identified",
    "Part",
    "Source",
    "archive_source",
    "bundle",
    "ensure_one",
    "ensure_one_row",
    "table_source",
    "target",
]
