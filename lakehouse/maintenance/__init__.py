"""Keeping tables in shape: compaction and checking."""
