"""The group ``lakehouse``: the options that stand before every verb, and where each verb lives."""

from __future__ import annotations

import click

from lakehouse import __version__
from lakehouse.cli.lazy import LazyGroup
from lakehouse.cli.session import Session

HEADINGS: dict[str, dict[str, str]] = {
    "Start": {
        "init": "lakehouse.cli.start:init",
        "demo": "lakehouse.cli.start:demo",
        "config": "lakehouse.cli.settings:config",
        "apply": "lakehouse.cli.start:apply",
    },
    "Look": {
        "status": "lakehouse.cli.status:status",
        "tables": "lakehouse.cli.look:tables",
        "show": "lakehouse.cli.look:show",
        "read": "lakehouse.cli.read:read",
        "sql": "lakehouse.cli.read:sql",
    },
    "Change": {
        "merge": "lakehouse.cli.change:merge",
        "quarantine": "lakehouse.cli.quarantine:quarantine",
    },
    "Time travel": {
        "history": "lakehouse.cli.timetravel:history",
        "diff": "lakehouse.cli.timetravel:diff",
        "tag": "lakehouse.cli.timetravel:tag",
        "restore": "lakehouse.cli.timetravel:restore",
    },
    "Keep": {
        "hold": "lakehouse.cli.hold:hold",
    },
    "Personal data": {
        "pii": "lakehouse.cli.pii:pii",
        "keys": "lakehouse.cli.keys:keys",
        "request": "lakehouse.cli.request:request",
    },
    "Care": {
        "retention": "lakehouse.cli.retention:retention",
        "compact": "lakehouse.cli.care:compact",
        "vacuum": "lakehouse.cli.vacuum:vacuum",
        "verify": "lakehouse.cli.verify:verify",
        "jobs": "lakehouse.cli.jobs:jobs",
        "daemon": "lakehouse.cli.daemon:daemon",
        "incidents": "lakehouse.cli.incidents:incidents",
        "alerts": "lakehouse.cli.alerts:alerts",
        "metrics": "lakehouse.cli.metrics:metrics",
    },
}
"""Heading -> verb -> module and name of its command. The order is the order of ``lakehouse --help``."""

# Words that people bring along from git, SQL and other tools.
OTHER_WORDS = {
    "ack": "incidents ack",
    "alert": "alerts list",
    "archive": "retention apply",
    "archives": "retention archives",
    "backfill": "jobs backfill",
    "chart": "incidents chart",
    "check": "verify",
    "clean": "vacuum",
    "cleanup": "vacuum",
    "create": "apply",
    "decrypt": "pii reveal",
    "describe": "show",
    "detokenize": "pii reveal",
    "expire": "retention plan",
    "fsck": "verify",
    "import": "merge",
    "holds": "hold list",
    "incident": "incidents list",
    "insert": "merge",
    "keep": "hold add",
    "job": "jobs list",
    "key": "keys list",
    "list": "tables",
    "load": "merge",
    "lock": "hold add",
    "log": "history",
    "ls": "tables",
    "mask": "pii mask",
    "new": "init",
    "notify": "alerts test",
    "optimize": "compact",
    "pause": "jobs pause",
    "prometheus": "metrics",
    "plan": "apply",
    "prune": "vacuum",
    "query": "sql",
    "rejected": "quarantine list",
    "release": "hold release",
    "resolve": "incidents resolve",
    "resume": "jobs resume",
    "retry": "quarantine retry",
    "reveal": "pii reveal",
    "rollback": "restore",
    "rotate": "keys rotate",
    "runs": "jobs history",
    "schedule": "jobs list",
    "scheduler": "daemon",
    "serve": "daemon",
    "service": "daemon",
    "scan": "pii scan",
    "schema": "show",
    "select": "sql",
    "ttl": "retention plan",
    "undo": "restore",
    "unmask": "pii reveal",
    "upsert": "merge",
    "validate": "config check",
}


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    click.echo(f"lakehouse {__version__}")
    context.exit()


@click.group(
    cls=LazyGroup,
    headings=HEADINGS,
    other_words=OTHER_WORDS,
    subcommand_metavar="VERB [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`lakehouse VERB --help` shows examples and the Python call that does the same.",
)
@click.option(
    "-c",
    "--config",
    metavar="FILE",
    help="The config file. Without it: $LAKEHOUSE_CONFIG, else lakehouse.yaml here or in a folder above.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document.")
@click.option("-q", "--quiet", is_flag=True, help="No hints and no progress, only the result.")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors (they can show values of rows).")
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version and exit.",
)
@click.pass_context
def root(context: click.Context, config: str | None, as_json: bool, quiet: bool, debug: bool) -> None:
    """Keeps Delta Lake tables: merges changes, reads any version, one config file."""
    context.obj = Session(config=config, as_json=as_json, quiet=quiet, debug=debug)
