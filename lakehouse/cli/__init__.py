"""The command line: click commands over the facade, nothing heavy imported before a verb needs it.

entry.py       main(): arguments in, exit code out; the one place that catches errors
app.py         the group ``lakehouse`` and the table of its verbs under their headings
lazy.py        groups that import a verb's module when it is named; help pages with examples
session.py     what one invocation knows: config file, output, terminal, the open lake
output.py      the one seam for results: tables for people or one JSON document
errors.py      exceptions to lines on standard error (or a JSON document) and exit codes
start.py, settings.py, look.py, read.py, change.py, timetravel.py, care.py    the verbs
reference.py   all help pages as one Markdown page
"""

from lakehouse.cli.entry import main

__all__ = ["main"]
