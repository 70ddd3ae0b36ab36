"""Taking people out of all that is older than their erasure: files, log, tags, older versions of objects."""

from __future__ import annotations

from lakehouse.requests.purge.carry_out import purge
from lakehouse.requests.purge.plan import Purged, PurgedFile, PurgePlan
from lakehouse.requests.purge.planning import plan_purge

__all__ = ["PurgePlan", "Purged", "PurgedFile", "plan_purge", "purge"]
