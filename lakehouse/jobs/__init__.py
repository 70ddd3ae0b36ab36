"""Jobs: work of the config that is carried out once for each moment, by whoever is there to do it.

`schedule` says when, `status` what became of it (both pure); `leases` keep a run somebody's as long as they
live, `runner` carries it out, `kinds` are what there is to do, `verbs` what users call. The truth is in the
state database, so that several processes can share the work.
"""

from __future__ import annotations

from lakehouse.jobs.context import JobContext
from lakehouse.jobs.result import JobResult
from lakehouse.jobs.status import RunView

__all__ = ["JobContext", "JobResult", "RunView"]
