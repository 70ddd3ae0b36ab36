"""The group ``pii``: personal data; each verb is in a module of its own."""

from __future__ import annotations

import click

from lakehouse.cli.lazy import LazyGroup


@click.group(
    cls=LazyGroup,
    headings={
        "Verbs": {
            "scan": "lakehouse.cli.pii_scan:scan",
            "mask": "lakehouse.cli.pii_mask:mask",
            "reveal": "lakehouse.cli.pii_reveal:reveal",
            "history": "lakehouse.cli.pii_reveal:history",
            "risk": "lakehouse.cli.pii_risk:risk",
        }
    },
    other_words={
        "decrypt": "reveal",
        "find": "scan",
        "log": "history",
        "reveals": "history",
        "unmask": "reveal",
    },
    subcommand_metavar="VERB [ARGS]...",
)
def pii() -> None:
    """Find personal data, mask it, turn masks back, weigh what they hide."""
