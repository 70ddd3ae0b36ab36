"""The daemon: runs the config's jobs unattended, sharing the work with others on the same state database.

The process itself is light: it keeps time (`timing`), asks the database for work (`desk`), hands runs to
child processes (`workers`, `worker`) and says how it is (`http`). What is heavy is imported in the children.
"""
