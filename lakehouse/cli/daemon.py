"""The verb ``daemon``: runs the config's jobs unattended."""

from __future__ import annotations

from importlib.util import find_spec

import click

from lakehouse.cli.lazy import verb
from lakehouse.cli.session import Session

_NEEDED = ("apscheduler", "structlog", "prometheus_client")


@verb(
    "daemon",
    examples=[
        "lakehouse daemon",
        "lakehouse daemon --once                       # what is due now; exit code 1 if a run failed",
    ],
    python="lakehouse.daemon.service.Daemon(load_config(path)).run()",
)
@click.option("--once", is_flag=True, help="Run what is due now and what waits for it, then end.")
@click.pass_obj
def daemon(session: Session, *, once: bool) -> None:
    """Run the jobs of the config, on time and once each, until it is told to end.

    Several daemons on one state database share the work. SIGTERM and Ctrl-C let runs finish for as long as
    `daemon.drain` says and hand the others over; a second one hurries. SIGHUP reads the config again: one
    with problems is logged, and the old one goes on. It logs on standard error (`logs:` in the config).
    """
    from lakehouse.errors import MissingPackageError

    missing = [each for each in _NEEDED if find_spec(each) is None]
    if missing:
        raise MissingPackageError(
            f"the daemon needs packages that are not installed: {', '.join(missing)}",
            advice="pip install 'lakehouse[daemon]'",
        )
    from lakehouse.config import load_config
    from lakehouse.daemon.service import Daemon

    path = session.config_path()
    code = Daemon(load_config(path), reload=lambda: load_config(path), once=once).run()
    click.get_current_context().exit(code)
