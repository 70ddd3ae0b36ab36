"""A table's data files: reading their rows and writing new ones.

Reading is in `lakehouse.delta.scan`, writing in `lakehouse.delta.write`; all of it can be imported from here.
"""

from __future__ import annotations

from lakehouse.delta.fitting import conform
from lakehouse.delta.footers import read_footer, row_counts
from lakehouse.delta.scan import drop_dead, read_rows_at, read_vectors, scan_file, scan_files, scan_table
from lakehouse.delta.write import ROW_GROUP_ROWS, TARGET_BYTES, partitioned, write_file, write_files

__all__ = [
    "ROW_GROUP_ROWS",
    "TARGET_BYTES",
    "conform",
    "drop_dead",
    "partitioned",
    "read_footer",
    "read_rows_at",
    "read_vectors",
    "row_counts",
    "scan_file",
    "scan_files",
    "scan_table",
    "write_file",
    "write_files",
]
