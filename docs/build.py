"""Makes the generated reference pages: ``python -m docs.build``, or with ``--check`` only compares them.

=============================  ==========================================
page                           made from
=============================  ==========================================
``docs/reference/cli.md``      the help pages of the command line
``docs/reference/config.md``   the models of the config
``docs/reference/api.md``      the docstrings of the public names
=============================  ==========================================
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from docs.api import api_markdown
from lakehouse.cli.reference import command_reference_markdown
from lakehouse.config import reference_markdown

FOLDER: Final = Path(__file__).parent / "reference"
PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "cli.md": command_reference_markdown,
    "config.md": reference_markdown,
    "api.md": api_markdown,
}
"""Each generated page and what makes it."""


def build(folder: Path = FOLDER) -> None:
    """Writes the pages.

    Args:
        folder: Where to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (folder / name).write_text(make(), encoding="utf-8")


def outdated(folder: Path = FOLDER) -> list[str]:
    """Finds the pages that are not what would be made now.

    Args:
        folder: Where they are.

    Returns:
        Their names.
    """
    return [
        name
        for name, make in PAGES.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != make()
    ]


def main(arguments: list[str] | None = None) -> int:
    """The command line.

    Args:
        arguments: The words after ``python -m docs.build``; those of the process if left out.

    Returns:
        The exit code: 1 if ``--check`` finds a page that is out of date.
    """
    parser = argparse.ArgumentParser(prog="python -m docs.build", description="Make the reference pages.")
    parser.add_argument("--check", action="store_true", help="only compare; exit code 1 if a page differs")
    if not parser.parse_args(arguments).check:
        build()
        return 0
    found = outdated()
    if found:
        sys.stderr.write(f"out of date: {', '.join(found)}; `make docs` makes them\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
