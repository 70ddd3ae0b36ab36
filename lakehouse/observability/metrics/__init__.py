"""What a lake tells Prometheus, read from its state database: all processes tell the same."""

from lakehouse.observability.metrics.exposition import CONTENT_TYPE, exposition, fold

__all__ = ["CONTENT_TYPE", "exposition", "fold"]
