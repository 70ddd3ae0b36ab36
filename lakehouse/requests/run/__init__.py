"""Carrying requests out: found, erased, purged, verified, proved. A run that was killed is gone on with."""

from __future__ import annotations

from lakehouse.requests.run.results import Outcome, RequestPlan, RunReport, TablePlan
from lakehouse.requests.run.run import run
from lakehouse.requests.run.target import RunTarget

__all__ = ["Outcome", "RequestPlan", "RunReport", "RunTarget", "TablePlan", "run"]
