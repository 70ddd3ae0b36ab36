"""The group ``pii``: the verbs about personal data, each in a module of its own."""

from __future__ import annotations

import click

from lakehouse.cli.lazy import LazyGroup


@click.group(
    cls=LazyGroup,
    headings={
        "Verbs": {
            "reveal": "lakehouse.cli.pii_reveal:reveal",
            "history": "lakehouse.cli.pii_reveal:history",
        }
    },
    other_words={"decrypt": "reveal", "log": "history", "reveals": "history", "unmask": "reveal"},
    subcommand_metavar="VERB [ARGS]...",
)
def pii() -> None:
    """Turn masked personal data back, for roles that may."""
