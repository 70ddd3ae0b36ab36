"""The verb that masks tables: ``pii mask``, in a copy or in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lakehouse.cli.cells import amount, said, size
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, listing, plural
from lakehouse.cli.parameters import TableName, confirm_options
from lakehouse.cli.progress import progress
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.pii.mask.copies import CopyStatus
    from lakehouse.pii.mask.copy_plan import CopyResult
    from lakehouse.pii.mask.drop import DroppedCopy
    from lakehouse.pii.mask.in_place_plan import InPlacePlan
    from lakehouse.pii.mask.port import MaskedPath


@verb(
    "mask",
    examples=[
        "lakehouse pii mask customers --to customers_masked    # made, or brought up to date",
        "lakehouse pii mask customers --in-place --dry-run",
        "lakehouse pii mask --list",
        "lakehouse pii mask --drop customers_masked",
    ],
    python='lake.pii.mask("customers", to="customers_masked"), lake.pii.mask("customers", in_place=True)',
)
@click.argument("table", metavar="[TABLE]", type=TableName(), required=False)
@click.option("--to", metavar="NAME", help="The copy: it is made, or brought up to date with what changed.")
@click.option("--in-place", is_flag=True, help="Mask the rows of the table itself, for good.")
@click.option("--anew", is_flag=True, help="With --to: copy all rows, whatever the copy has.")
@click.option("--list", "show", is_flag=True, help="List the masked copies, of TABLE or of all.")
@click.option("--drop", metavar="NAME", help="Take a masked copy away.")
@confirm_options
@click.pass_obj
def mask(
    session: Session,
    *,
    table: str | None,
    to: str | None,
    in_place: bool,
    anew: bool,
    show: bool,
    drop: str | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Mask the columns of `pii`: in a copy that follows the table, or in place.

    A copy is a table of the lake like any other, to be read and looked after by its name. --in-place and
    --drop show what they would do and ask; without a terminal they need --yes.
    """
    _check(table, to=to, in_place=in_place, anew=anew, show=show, drop=drop)
    if show:
        _list(session, table)
    elif drop is not None:
        _drop(session, drop, dry_run=dry_run, yes=yes)
    elif to is not None and table is not None:
        _copy(session, table, to, anew=anew, dry_run=dry_run)
    elif table is not None:
        _in_place(session, table, dry_run=dry_run, yes=yes)


def _check(
    table: str | None, *, to: str | None, in_place: bool, anew: bool, show: bool, drop: str | None
) -> None:
    context = click.get_current_context()
    ways = {"--to": to is not None, "--in-place": in_place, "--list": show, "--drop": drop is not None}
    chosen = [name for name, is_chosen in ways.items() if is_chosen]
    if len(chosen) != 1:
        what = f"{listing(chosen)} exclude each other" if chosen else f"say one of {', '.join(ways)}"
        raise click.UsageError(what, context)
    if chosen[0] in ("--to", "--in-place") and table is None:
        raise click.UsageError(f"{chosen[0]} needs a TABLE", context)
    if chosen[0] == "--drop" and table is not None:
        raise click.UsageError("--drop takes the name of the copy alone", context)
    if anew and to is None:
        raise click.UsageError("--anew belongs to --to", context)


def _copy(session: Session, table: str, name: str, *, anew: bool, dry_run: bool) -> None:
    with progress(session, f"copying {table}"):
        done = session.lake.pii.mask(table, to=name, anew=anew, dry_run=dry_run)
    session.out.emit(_copy_document(done), *_copy_story(done))
    if not dry_run and done.action != "nothing":
        session.out.next_steps((f"lakehouse read {name}", "see it"))


def _copy_story(done: CopyResult) -> list[Block]:
    name, at = done.name, f"{done.source} at version {done.source_version}"
    if done.action == "nothing":
        return [f"{name}: nothing to do, {done.why}", *_notes(done.notes)]
    counts = [
        f"{number:,} {what}"
        for number, what in (
            (done.inserted, "inserted"),
            (done.updated, "updated"),
            (done.deleted, "deleted"),
        )
        if number
    ]
    if done.action == "anew":
        what = f"{plural(done.inserted, 'row')} {'would be ' if done.dry_run else ''}copied: {done.why}"
    else:
        changed = ", ".join(counts) or "no row changed"
        what = f"{changed} since version {done.since}{' (nothing was written)' if done.dry_run else ''}"
    head = f"{name}: {what}"
    end = f"it has {at}" if not done.dry_run else f"it would have {at}"
    story: list[Block] = [head, f"  {end}" + ("" if done.version is None else f", as version {done.version}")]
    story += _masks(done.columns)
    if done.masked_before:
        story.append(f"  masked in {done.source} already: {', '.join(done.masked_before)}")
    return [*story, *_notes(done.notes)]


def _notes(notes: Sequence[str]) -> list[str]:
    return [f"note: {note}" for note in notes]


def _masks(columns: Sequence[MaskedPath]) -> list[Block]:
    rows = [
        [
            said(each.path),
            said(", ".join(each.entities)),
            said(", ".join(each.operators)),
            said(_back(each)),
        ]
        for each in columns
    ]
    return ["", Grid(["column", "holds", "masked by", "can be turned back"], rows)] if rows else []


def _back(each: MaskedPath) -> str:
    if each.in_part:
        return "in part, with the key"
    return "yes, with the key" if each.reversible else "no"


def _copy_document(done: CopyResult) -> dict[str, Any]:
    return {
        "copy": done.name,
        "source": done.source,
        "dry_run": done.dry_run,
        "action": done.action,
        "why": done.why,
        "source_version": done.source_version,
        "since": done.since,
        "version": done.version,
        "inserted": done.inserted,
        "updated": done.updated,
        "deleted": done.deleted,
        "files": done.files,
        "bytes": done.bytes,
        "columns": _columns_document(done.columns),
        "masked_before": list(done.masked_before),
        "notes": list(done.notes),
    }


def _columns_document(columns: Sequence[MaskedPath]) -> list[dict[str, Any]]:
    return [
        {
            "path": each.path,
            "entities": list(each.entities),
            "operators": list(each.operators),
            "reversible": each.reversible,
            "in_part": each.in_part,
        }
        for each in columns
    ]


def _list(session: Session, table: str | None) -> None:
    found = session.lake.pii.copies.list(table)
    document = [
        {
            "copy": each.name,
            "source": each.source,
            "created": each.created,
            "version": each.version,
            "has": each.has,
            "newest": each.newest,
            "up_to_date": each.up_to_date,
            "problem": each.problem,
        }
        for each in found
    ]
    rows = [
        [
            said(each.name),
            said(each.source),
            amount(each.version) if each.version is not None else said(""),
            amount(each.has) if each.has is not None else said(""),
            amount(each.newest) if each.newest is not None else said(""),
            said(_stands(each)),
        ]
        for each in found
    ]
    columns = ["copy", "of", "version", "has version", "newest", "is"]
    blocks: list[Block] = [Grid(columns, rows)] if rows else ["there are no masked copies"]
    session.out.emit({"copies": document}, *blocks)


def _stands(each: CopyStatus) -> str:
    if each.problem:
        return each.problem
    if each.version is None:
        return "not made yet"
    return "up to date" if each.up_to_date else "behind" if each.newest is not None else "without its source"


def _drop(session: Session, name: str, *, dry_run: bool, yes: bool) -> None:
    copies = session.lake.pii.copies
    plan = copies.drop(name, dry_run=True)
    if dry_run:
        session.out.emit(_drop_document(plan), _drop_line(plan))
        return
    if not session.as_json:
        session.out.show(_drop_line(plan))
    if not session.go_ahead(f"Drop {name} for good?", yes=yes):
        session.out.note("nothing was done")
        return
    done = copies.drop(name)
    session.out.emit(_drop_document(done), f"{name} is dropped", *done.notes)


def _drop_line(plan: DroppedCopy) -> str:
    tags = f", its {plural(len(plan.tags), 'tag')}" if plan.tags else ""
    what = f"{plural(plan.files, 'file')} ({size(plan.bytes)}){tags}"
    return f"{plan.name}, a masked copy of {plan.source}: {what} would go; {plan.source} stays as it is"


def _drop_document(plan: DroppedCopy) -> dict[str, Any]:
    return {
        "copy": plan.name,
        "source": plan.source,
        "dry_run": plan.dry_run,
        "version": plan.version,
        "files": plan.files,
        "bytes": plan.bytes,
        "tags": list(plan.tags),
        "notes": list(plan.notes),
    }


def _in_place(session: Session, table: str, *, dry_run: bool, yes: bool) -> None:
    pii = session.lake.pii
    with progress(session, "planning"):
        plan = pii.mask(table, in_place=True, dry_run=True)
    if dry_run or plan.changes_nothing:
        session.out.emit({"dry_run": dry_run, **plan.to_dict()}, *_plan_story(plan))
        return
    if not session.as_json:
        for block in _plan_story(plan):
            session.out.show(block)
    if not session.go_ahead(f"Mask {table} in place for good?", yes=yes):
        session.out.note("nothing was done")
        return
    with progress(session, f"masking {table}"):
        done = pii.mask(table, in_place=True, plan=plan)
    session.out.emit({"dry_run": False, **done.to_dict()}, _done_line(done))
    if not session.as_json:
        session.out.next_steps(
            (f"lakehouse vacuum {table}", "take away older versions, which still hold clear values")
        )


def _done_line(done: InPlacePlan) -> str:
    if done.version is None:
        return f"{done.table}: nothing to do, somebody else has masked it"
    rows = "all rows" if done.rows is None else plural(done.rows, "row")
    what = f"{rows} masked in {plural(done.files, 'file')} ({size(done.bytes_written)})"
    return f"{done.table}: {what}, version {done.version}"


def _plan_story(plan: InPlacePlan) -> list[Block]:
    if plan.changes_nothing:
        return [f"{plan.table}: nothing to do, {', '.join(plan.already)} masked already", *_notes(plan.notes)]
    rows = "all rows" if plan.rows is None else plural(plan.rows, "row")
    story: list[Block] = [
        f"{plan.table}: {rows} in {plural(plan.files, 'file')} ({size(plan.bytes)}) would be masked",
        *_masks(plan.columns),
    ]
    if plan.already:
        story.append(f"masked already: {', '.join(plan.already)}")
    if plan.computed:
        story.append(f"computed anew: {', '.join(plan.computed)}")
    story += ["", "clear values stay in:", *(f"  {line}" for line in _left(plan))]
    return [*story, *_notes(plan.notes)]


def _left(plan: InPlacePlan) -> list[str]:
    """Where clear values still are afterwards, and what ends that."""
    lines = []
    if plan.older is not None:
        first, last = plan.older
        spoken = f"versions {first} to {last}" if last > first else f"version {last}"
        ends = "`vacuum`, as soon as the rules for versions let them go"
        lines.append(f"{spoken}, files, statistics and change data: {ends}")
    if plan.tags:
        lines.append(f"versions that tags keep ({', '.join(plan.tags)}): `tag --delete`, then `vacuum`")
    if plan.quarantined:
        some = plural(plan.quarantined, "record")
        lines.append(f"{some} in quarantine: `quarantine retry` or `quarantine drop`, then `vacuum`")
    if plan.archives:
        lines.append(f"archives of the rules {', '.join(plan.archives)}: they are not touched")
    return lines
