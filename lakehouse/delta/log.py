"""The log of a table: what it holds, its commits, and which versions there are.

Delta protocol, sections "Delta Log Entries", "Log Compaction Files" and "Last Checkpoint File". What it takes
to read single files lives in `log_reading`, the names of files in `log_files`, moments in `versions`.
"""

from __future__ import annotations

from lakehouse.delta.log_files import Checkpoint, Compaction, LogListing, commit_path
from lakehouse.delta.log_reading import Commit, commits, last_checkpoint, list_log, read_commit
from lakehouse.delta.segments import LogSegment, plan_segment
from lakehouse.delta.versions import earliest_commit, earliest_version, moment_of, version_at

__all__ = [
    "Checkpoint",
    "Commit",
    "Compaction",
    "LogListing",
    "LogSegment",
    "commit_path",
    "commits",
    "earliest_commit",
    "earliest_version",
    "last_checkpoint",
    "list_log",
    "moment_of",
    "plan_segment",
    "read_commit",
    "version_at",
]
