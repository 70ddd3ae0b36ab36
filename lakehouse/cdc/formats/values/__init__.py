"""JSON values into typed columns: a `Codec` says how a column is written and what it becomes."""
