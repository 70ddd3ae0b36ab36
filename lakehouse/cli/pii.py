"""The group ``pii``: personal data; each verb is in a module of its own."""

from __future__ import annotations

import click

from lakehouse.cli.lazy import VerbGroup
from lakehouse.cli.pii_mask import mask
from lakehouse.cli.pii_risk import risk
from lakehouse.cli.pii_scan import scan


@click.group(cls=VerbGroup, subcommand_metavar="VERB [ARGS]...")
def pii() -> None:
    """Find personal data, mask it, weigh what masks hide."""


pii.add_command(scan)
pii.add_command(mask)
pii.add_command(risk)
