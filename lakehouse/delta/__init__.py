"""The Delta protocol and nothing else, under the protocol's own names.

What the protocol (PROTOCOL.md of the delta-io/delta repository) says about a table's files and log is
kept here alone; what is done with tables (merge, time travel, maintenance) lives in the rooms above.
"""
