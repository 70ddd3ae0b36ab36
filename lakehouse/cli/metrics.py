"""The verb ``metrics``."""

from __future__ import annotations

import click

from lakehouse.cli.lazy import verb
from lakehouse.cli.session import Session


@verb(
    "metrics",
    examples=["lakehouse metrics", "lakehouse metrics > /var/lib/node_exporter/lakehouse.prom"],
    python="lake.metrics()",
)
@click.pass_obj
def metrics(session: Session) -> None:
    """Print what the daemon tells Prometheus: runs, requests, tables, alerts.

    It is read from the state database, so that it is the same in all processes, and needs no daemon. With
    --json it is the text, in a document.
    """
    written = session.lake.metrics()
    if session.as_json:
        session.out.emit_json({"metrics": written.decode()})
    else:
        session.out.write_bytes(written)
