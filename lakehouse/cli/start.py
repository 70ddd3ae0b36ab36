"""The verbs to begin with: ``init``, ``demo``, ``apply``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.cells import said
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import listing, plural
from lakehouse.cli.parameters import confirm_options
from lakehouse.cli.session import CONFIG_NAME, Session
from lakehouse.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakehouse.overview import ApplyPlan

SAMPLE_NAME = "customers.jsonl"
SAMPLE = (
    '{"id": 1, "name": "Ada", "email": "ada@shop.example", "updated_at": "2026-01-05T09:00:00Z"}\n'
    '{"id": 2, "name": "Grace", "email": "grace@shop.example", "updated_at": "2026-01-05T09:05:00Z"}\n'
)


@verb(
    "init",
    examples=[
        "lakehouse init                 # lakehouse.yaml in this folder",
        "lakehouse init shop            # in the folder shop, made if need be",
        "lakehouse init --full          # the reference with every key explained",
    ],
    python='Lakehouse.open("lakehouse.yaml") opens what this writes',
)
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--full", is_flag=True, help="Write the commented reference of all keys, not the short start.")
@click.option("--force", is_flag=True, help="Replace a config file that is there.")
@click.pass_obj
def init(session: Session, *, directory: Path, full: bool, force: bool) -> None:
    """Write a config file to start from.

    Writes lakehouse.yaml and a file with two changes to try a merge with. A file that is there already is
    not touched without --force.
    """
    target = directory / CONFIG_NAME
    sample = directory / SAMPLE_NAME
    if target.exists() and not force:
        raise RefusedError(f"{target} is there already", advice="--force replaces it")
    directory.mkdir(parents=True, exist_ok=True)
    target.write_text(_text(directory, full=full), encoding="utf-8")
    written = [target]
    if not full and not sample.exists():
        sample.write_text(SAMPLE, encoding="utf-8")
        written.append(sample)
    session.out.emit({"written": written}, *(f"wrote {path}" for path in written))
    into = [(f"cd {directory}", "go there")] if directory != Path() else []
    if full:
        session.out.next_steps(*into, ("lakehouse config check", "find what is wrong in the config"))
        return
    session.out.next_steps(
        *into,
        ("lakehouse apply", "make the tables of the config"),
        (f"lakehouse merge customers {SAMPLE_NAME}", "merge two changes"),
        ("lakehouse read customers", "look at the rows"),
        ("lakehouse history customers", "see who did what when"),
    )


def _text(directory: Path, *, full: bool) -> str:
    from lakehouse.config.reference import reference_text, starter_text

    return reference_text() if full else starter_text(directory.resolve().name or "my-lake")


@verb(
    "demo",
    examples=["lakehouse demo", "lakehouse demo --dir shop-demo"],
    python="lakehouse.demo.run(directory, echo)",
)
@click.option(
    "--dir",
    "directory",
    default="demo-lake",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to make the lake of the demo.",
)
@click.pass_obj
def demo(session: Session, *, directory: Path) -> None:
    """Watch it work: recorded events, merges, time travel.

    Makes a lake of its own, merges recorded PostgreSQL events and the changes of a small shop into it, reads
    an older version, compares two, restores one, and says what to type next. Needs nothing but a folder.
    """
    from lakehouse.demo import run

    run(directory, _narrator(session))
    if session.as_json:
        session.out.emit_json({"directory": directory})


def _narrator(session: Session) -> Callable[[str], None]:
    """Where the demo tells its story: standard output; with ``--json`` that belongs to the document."""

    def echo(text: str) -> None:
        click.echo(text, err=session.as_json)

    return echo


@verb(
    "apply",
    examples=["lakehouse apply --dry-run      # what would be made", "lakehouse apply"],
    python="lake.apply(dry_run=False)",
)
@confirm_options
@click.pass_obj
def apply(session: Session, *, dry_run: bool, yes: bool) -> None:
    """Make the tables of the config that are not there yet.

    Shows what would be made and asks on a terminal. Tables that are there are left alone; a table whose
    config names no schema is made by its first merge.
    """
    plan = session.lake.apply(dry_run=True)
    if dry_run or plan.changes_nothing:
        session.out.emit(_apply_document(plan, dry_run=dry_run), _plan_grid(plan))
        if plan.changes_nothing:
            session.out.note("nothing to make")
        return
    if not session.as_json:
        session.out.show(_plan_grid(plan))
    wanted = [each.table for each in plan.tables if each.action == "create"]
    if not session.go_ahead(f"Make {plural(len(wanted), 'table')}?", yes=yes, destructive=False):
        session.out.note("nothing was done")
        return
    done = session.lake.apply()
    made = [each.table for each in done.tables if each.action == "create"]
    session.out.emit(
        _apply_document(done, dry_run=False), f"made {listing(made)}" if made else "nothing to make"
    )
    session.out.next_steps(*((f"lakehouse merge {name} FILE", "bring changes into it") for name in made[:1]))


def _plan_grid(plan: ApplyPlan) -> Grid:
    words = {"create": "make", "wait": "wait", "none": "keep"}
    rows = [[said(each.table), said(words[each.action]), said(each.detail)] for each in plan.tables]
    return Grid(["table", "plan", "why"], rows, styles={"plan": {"make": {"fg": "green"}}})


def _apply_document(plan: ApplyPlan, *, dry_run: bool) -> dict[str, Any]:
    return {
        "lake": plan.lake,
        "dry_run": dry_run,
        "changes_nothing": plan.changes_nothing,
        "tables": [
            {"table": each.table, "action": each.action, "detail": each.detail} for each in plan.tables
        ],
    }
