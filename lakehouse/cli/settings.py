"""The verbs about the config file: ``config check``, ``config show``, ``config schema``."""

from __future__ import annotations

from itertools import chain

import click

from lakehouse.cli.lazy import VerbGroup, verb
from lakehouse.cli.output import listing, plural
from lakehouse.cli.session import Session


@click.group(cls=VerbGroup, subcommand_metavar="VERB [ARGS]...")
def config() -> None:
    """Check, show and describe the config file."""


@verb(
    "check",
    examples=["lakehouse config check", "lakehouse -c other.yaml config check --json"],
    python="lakehouse.config.load_config(path)",
)
@click.pass_obj
def check(session: Session) -> None:
    """Find everything that is wrong in the config file.

    All problems at once, each with file, line, column, path and the nearest valid name. Conditions of
    expectations and rules are read against the table's `schema`; without one, only as SQL. So is whether the
    columns of `pii` can be masked by their operators, and whether `subjects` fit the columns. Nothing is
    reached: no store, no table, no key. Exit code 2 if there are any.
    """
    from lakehouse.config import load_config
    from lakehouse.lake import Lakehouse
    from lakehouse.merge.config_findings import columns_to_come, condition_findings
    from lakehouse.pii.mask.config_findings import mask_findings
    from lakehouse.requests.checks import declared_findings
    from lakehouse.retention.config_findings import rule_findings

    path = session.config_path()
    loaded = load_config(
        path,
        further=lambda each: chain(
            condition_findings(each), rule_findings(each), mask_findings(each), declared_findings(each)
        ),
    )
    # The options of the storage are known to the room that opens it, not to the config.
    Lakehouse(loaded)
    names = list(loaded.tables)
    notes = [*columns_to_come(loaded)]
    for note in notes:
        session.out.note(f"note: {note}")
    session.out.emit(
        {"config": path, "name": loaded.name, "tables": names, "problems": [], "notes": notes},
        f"{path} is fine: {plural(len(names), 'table')}" + (f" ({listing(names)})" if names else ""),
    )


@verb(
    "show",
    examples=["lakehouse config show", "lakehouse config show --json"],
    python="lakehouse.config.load_config(path)",
)
@click.pass_obj
def show(session: Session) -> None:
    """Show the config as it is understood: defaults filled in, secrets masked."""
    from lakehouse.config import load_config
    from lakehouse.config.render import as_dict, render

    loaded = load_config(session.config_path())
    if session.as_json:
        session.out.emit_json(as_dict(loaded))
    else:
        session.out.show(render(loaded).rstrip("\n"))


@verb(
    "schema",
    examples=["lakehouse config schema > lakehouse.schema.json"],
    python="lakehouse.config.schema.json_schema()",
)
@click.pass_obj
def schema(session: Session) -> None:
    """Print the JSON schema of the config file, which editors complete from."""
    from lakehouse.config.schema import schema_text

    session.out.show(schema_text().rstrip("\n"))


for _command in (check, show, schema):
    config.add_command(_command)
