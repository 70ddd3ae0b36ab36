"""What the verbs of a table do: `lakehouse.table.Table` has the names, this room the work.

=============  =====================================================================================
module         what is in it
=============  =====================================================================================
``opened``     what all verbs share: the table's folder, its config, its clock, its newest version
``reading``    rows of a version, what differs, what happened; writes nothing
``merging``    making the table, merging into it; with the compaction that follows a merge
``tending``    verbs on a whole table that has its rows already: restore, compact, verify
=============  =====================================================================================
"""
