"""Incidents: points are taken of jobs and tables, judged by their charts, and what is out of control is kept.

`taking` measures, `watch` keeps points and judges them, `around` tells what changed, `status` is what an
incident is now (pure), `observer` does all of it after runs, `sampling` without any, `verbs` are for users,
`feed` for alerts.
"""

from __future__ import annotations

from lakehouse.observability.incidents.feed import IncidentChange, incident_changes
from lakehouse.observability.incidents.observer import ChartObserver
from lakehouse.observability.incidents.sampling import sample
from lakehouse.observability.incidents.status import IncidentView
from lakehouse.observability.incidents.verbs import Incidents

__all__ = ["ChartObserver", "IncidentChange", "IncidentView", "Incidents", "incident_changes", "sample"]
