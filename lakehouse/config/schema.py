"""The JSON schema of the config, which editors complete from, and the written reference of its keys.

``python -m lakehouse.config.schema`` prints the schema, ``--write FILE`` writes it, ``--markdown`` prints the
reference.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lakehouse.config.generate import json_schema, reference_markdown, schema_text

__all__ = ["json_schema", "main", "reference_markdown", "schema_text"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints or writes the JSON schema, or prints the written reference.

    Args:
        arguments: Of the command line; the process's own if not given.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m lakehouse.config.schema", description=main.__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the schema to a file")
    parser.add_argument("--markdown", action="store_true", help="print the reference of all keys instead")
    options = parser.parse_args(arguments)
    text = reference_markdown() if options.markdown else schema_text()
    if options.write is not None:
        options.write.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
