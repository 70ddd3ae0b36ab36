"""OpenLineage events of runs: what they read and made, what retention and erasure did to it."""

from lakehouse.observability.lineage.observer import LineageObserver, lineage_of

__all__ = ["LineageObserver", "lineage_of"]
