"""The verb ``pii scan``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.cells import said
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, listing, plural
from lakehouse.cli.parameters import Whole, confirm_options, table_argument
from lakehouse.cli.progress import progress
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.pii.scan.declare import Declaration
    from lakehouse.pii.scan.findings import ScanResult, TableScan

FOUND_SOMETHING = 5
_WHY_ASK = "this changes the config file"


@verb(
    "scan",
    examples=[
        "lakehouse pii scan",
        "lakehouse pii scan customers --sample 20000 --json",
        "lakehouse pii scan --write --dry-run        # what the config would say",
        "lakehouse pii scan --fail-on undeclared     # for a check before a change lands",
    ],
    python="lake.pii.scan(tables=None, sample=5000, seed=0), lake.pii.declare(result)",
)
@table_argument(many=True)
@click.option(
    "--sample",
    type=Whole(min=1, max=1_000_000),
    metavar="N",
    default=5_000,
    show_default=True,
    help="Look at so many rows of each table.",
)
@click.option("--seed", type=Whole(min=0), metavar="N", default=0, help="Look at other rows.")
@click.option("--version", type=Whole(min=0), metavar="N", help="Of the one table that is named.")
@click.option(
    "--write", is_flag=True, help="Add what was found to the config file; shows the change and asks."
)
@click.option(
    "--fail-on",
    type=click.Choice(["new", "undeclared"]),
    help="Exit code 5 if there is personal data that is new since the scan before, or at all, and that the "
    "config does not name.",
)
@confirm_options
@click.pass_obj
def scan(
    session: Session,
    *,
    tables: tuple[str, ...],
    sample: int,
    seed: int,
    version: int | None,
    write: bool,
    fail_on: str | None,
    dry_run: bool,
    yes: bool,
) -> int:
    """Find columns with personal data, in samples of their values.

    Also in fields of structs, lists, maps and JSON texts. A column's name, or what a language model takes its
    values for, is never enough alone. Examples show the shape of values, no values. What was found is kept,
    and the next scan says what is new.
    """
    if (dry_run or yes) and not write:
        raise click.UsageError("--dry-run and --yes go with --write", click.get_current_context())
    place = session.lake.pii
    with progress(session, "scanning"):
        found = place.scan(tables=tables or None, sample=sample, seed=seed, version=version)
    change = place.declare(found, dry_run=True) if write else None
    if not session.as_json:
        for block in _story(found):
            session.out.show(block)
    if change is not None:
        change = _written(session, change, dry_run=dry_run, yes=yes)
    if session.as_json:
        session.out.emit_json(_document(found, change))
    if not write and found.undeclared:
        session.out.next_steps(("lakehouse pii scan --write", "add it to the config"))
    failing = {"new": found.new, "undeclared": found.undeclared}.get(fail_on or "", {})
    return FOUND_SOMETHING if failing else 0


def _written(session: Session, change: Declaration, *, dry_run: bool, yes: bool) -> Declaration:
    """Shows the change to the config file, asks, and makes it."""
    from lakehouse.pii.scan.declare import write_declaration

    out = session.out
    if not session.as_json:
        out.show("")
        nothing = "nothing can be added" if change.skipped else f"{change.file} names all of it"
        out.show(change.diff.rstrip("\n") or nothing)
        for table, why in change.skipped.items():
            out.note(f"{table}: {why}; add what was found by hand")
    if dry_run or not change.diff:
        return change
    number = sum(len(each) for each in change.added.values())
    if not session.go_ahead(
        f"Add {plural(number, 'entry', 'entries')} to {change.file}?", yes=yes, why=_WHY_ASK
    ):
        out.note("nothing was written")
        return change
    done = write_declaration(change)
    out.note(f"{change.file} was written")
    return done


def _document(found: ScanResult, change: Declaration | None) -> dict[str, Any]:
    document = found.to_dict()
    if change is not None:
        document["config"] = {
            "file": change.file,
            "diff": change.diff,
            "added": {
                table: {
                    path: dict(kinds) if isinstance(kinds, Mapping) else list(kinds)
                    for path, kinds in each.items()
                }
                for table, each in change.added.items()
            },
            "skipped": dict(change.skipped),
            "written": change.written,
        }
    return document


def _story(found: ScanResult) -> list[Block]:
    from lakehouse.pii.scan.saying import percent

    rows = [
        [
            said(scan.table),
            said(column.path),
            said(each.entity),
            said(percent(each.share)),
            said(f"{each.score:.2f}"),
            said(", ".join(each.evidence)),
            said(column.examples[0] if column.examples else "free text" if column.text else ""),
            said(_known(column.path in scan.undeclared, each.entity, column.declared)),
        ]
        for scan in found.tables
        for column in scan.columns
        for each in column.entities
    ]
    columns = ["table", "column", "entity", "share", "score", "evidence", "looks like", "known"]
    blocks: list[Block] = [Grid(columns, rows).without_empty("known")] if rows else []
    for each in found.tables:
        blocks += _about(each)
    if found.missing:
        blocks.append(f"no language model was asked, so names in free text are not found: {found.missing}")
    return blocks


def _known(is_new: bool, entity: str, declared: Sequence[str]) -> str:
    if is_new:
        return ""
    return "in the config" if not declared or entity in declared else f"as {', '.join(declared)}"


def _about(scan: TableScan) -> list[Block]:
    if scan.version is None:
        return [f"{scan.table}: has not been made yet"]
    if not scan.sampled:
        return [f"{scan.table}: there are no rows to look at (version {scan.version})"]
    names = len(scan.columns)
    looked = f"{plural(scan.sampled, 'row')} of version {scan.version}, {plural(scan.paths, 'path')}"
    blocks: list[Block] = [
        f"{scan.table}: personal data in {names} ({looked})"
        if names
        else f"{scan.table}: no personal data was found ({looked})"
    ]
    blocks += [f"  not looked into: {each.path} ({each.reason})" for each in scan.unread]
    blocks += [f"  {column.path}: {column.note}" for column in scan.columns if column.note]
    drift = scan.drift
    if drift.since is not None:
        told = (
            ("new", drift.new),
            ("gone", drift.gone),
            ("other kinds in", drift.changed),
            ("far more or fewer values in", drift.shares),
        )
        for what, paths in told:
            if paths:
                blocks.append(f"  {what} since {drift.since:%Y-%m-%d %H:%M}: {listing(paths)}")
    return blocks
