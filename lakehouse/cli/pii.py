"""The group ``pii``: where personal data is."""

from __future__ import annotations

import click

from lakehouse.cli.lazy import VerbGroup
from lakehouse.cli.pii_scan import scan


@click.group(cls=VerbGroup, subcommand_metavar="VERB [ARGS]...")
def pii() -> None:
    """Find personal data."""


pii.add_command(scan)
