"""What must stay: legal holds, tags, kept versions. The one gate before any destruction; no I/O here."""

from lakehouse.protection.holds import Hold, Protection, TableHold

__all__ = ["Hold", "Protection", "TableHold"]
