"""The group ``request``: what people may ask for. What carries something out is in modules of its own."""

from __future__ import annotations

import click

from lakehouse.cli.lazy import LazyGroup


@click.group(
    cls=LazyGroup,
    headings={
        "Verbs": {
            "submit": "lakehouse.cli.request_decide:submit",
            "list": "lakehouse.cli.request_decide:list_",
            "show": "lakehouse.cli.request_decide:show",
            "approve": "lakehouse.cli.request_decide:approve",
            "reject": "lakehouse.cli.request_decide:reject",
            "cancel": "lakehouse.cli.request_decide:cancel",
            "run": "lakehouse.cli.request_run:run",
            "certificate": "lakehouse.cli.request_prove:certificate",
            "public-key": "lakehouse.cli.request_prove:public_key",
            "verify-certificate": "lakehouse.cli.request_prove:verify_certificate",
            "answer": "lakehouse.cli.request_answer:answer",
            "readmit": "lakehouse.cli.request_decide:readmit",
        }
    },
    other_words={
        "erase": "run",
        "access": "answer",
        "add": "submit",
        "delete": "cancel",
        "export": "answer",
        "forget": "submit",
        "new": "submit",
        "status": "show",
    },
    subcommand_metavar="VERB [ARGS]...",
)
def request() -> None:
    """Take requests of people: to be erased, to see what is known of them."""
