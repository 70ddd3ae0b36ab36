"""The file system check of a table: `check` looks at everything, `repair` mends what loses nothing."""

from __future__ import annotations

from lakehouse.maintenance.verify.check import unreadable, verify
from lakehouse.maintenance.verify.contents import RowRule
from lakehouse.maintenance.verify.repair import repair
from lakehouse.maintenance.verify.report import Finding, Notice, Repair, VerifyReport

__all__ = ["Finding", "Notice", "Repair", "RowRule", "VerifyReport", "repair", "unreadable", "verify"]
