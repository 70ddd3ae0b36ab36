"""Plans and results of retention as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakehouse.cli.cells import amount, said, size
from lakehouse.cli.grid import Grid
from lakehouse.cli.output import Block, plural

if TYPE_CHECKING:
    from lakehouse.retention.plan import RetentionPlan, RulePlan, TableRetention
    from lakehouse.retention.results import RetentionResult, TableResult


def story(found: RetentionPlan) -> list[Block]:
    """A plan as people read it: a row for each rule, and below it what else there is to say."""
    if not found.tables:
        return ["no table has rules for rows"]
    rows = [_row(each, rule) for each in found.tables for rule in each.rules]
    blocks: list[Block] = []
    if rows:
        columns = ["table", "rule", "action", "rows", "share", "before", "oldest", "newest", "files", "size"]
        columns += ["held back", "undated"]
        blocks.append(Grid(columns, rows).without_empty("held back", "undated"))
    for each in found.tables:
        blocks += _notes(each)
    return blocks


def _row(table: TableRetention, rule: RulePlan) -> list[Any]:
    return [
        said(table.table),
        said(rule.rule),
        said(rule.action),
        amount(rule.rows),
        said(f"{rule.share:.1%}" if rule.rows else ""),
        said(short(rule.cutoff)),
        said(short(rule.oldest)),
        said(short(rule.newest)),
        amount(rule.files),
        said(size(rule.bytes)),
        amount(rule.held_rows) if rule.held_rows else said(""),
        said(f"{'' if rule.undated_exact else 'at least '}{rule.undated:,}" if rule.undated else ""),
    ]


def short(value: str | float | None) -> str:
    """A date as people write it: to the second, with its ``Z``."""
    if not isinstance(value, str):
        return "" if value is None else f"{value}"
    return value[:19].replace("T", " ") + ("Z" if value.endswith(("Z", "+00:00")) else "")


def _notes(table: TableRetention) -> list[Block]:
    """What is held, what it costs, what is odd, what stands in the way."""
    if table.version is None:
        return [f"{table.table}: has not been made yet"]
    if not table.rules and not table.brakes:
        return [f"{table.table}: has no rules for rows"]
    notes: list[Block] = []
    if not table.changes_nothing:
        cost = table.cost
        parts = [
            f"{plural(cost.files_dropped, 'file')} dropped" if cost.files_dropped else "",
            plural(cost.vectors, "deletion vector") if cost.vectors else "",
            f"{plural(cost.files_rewritten, 'file')} rewritten" if cost.files_rewritten else "",
            f"{plural(cost.rows_written, 'row')} written" if cost.rows_written else "",
            f"{plural(cost.rows_archived, 'row')} copied to archives" if cost.rows_archived else "",
        ]
        notes.append(f"{table.table}: {', '.join(part for part in parts if part)}")
    for rule in table.rules:
        for held in rule.held:
            some = plural(held.rows, "row")
            notes.append(f"{table.table}: hold {held.hold} keeps {some} from {rule.rule} ({held.reason})")
        for other, rows in rule.taken.items():
            some = plural(rows, "row")
            notes.append(f"{table.table}: {some} past the time of {rule.rule} taken by {other} first")
    notes += [f"warning: {table.table}: {text}" for text in table.warnings]
    for brake in table.brakes:
        notes.append(f"refused: {table.table}: {brake.message}\n  {brake.advice}")
    return notes


def result_lines(done: RetentionResult) -> list[str]:
    """What became of each table, and whose plan is not the one that was shown."""
    shown = {each.table: each for each in done.plan.tables}
    lines = []
    for each in done.tables:
        if each.plan.digest != shown[each.table].digest:
            plan = f"planned again on version {each.plan.version}"
            lines.append(f"{each.table}: {plan}, since other writers changed what it takes")
        if each.plan.version is not None:
            lines.append(_result_line(each))
    return lines


def _result_line(done: TableResult) -> str:
    match done.status:
        case "done":
            parts = [
                f"{plural(done.rows_deleted - done.rows_archived, 'row')} deleted"
                if done.rows_deleted > done.rows_archived
                else "",
                f"{plural(done.rows_archived, 'row')} archived" if done.rows_archived else "",
                f"{plural(done.rows_anonymized, 'row')} anonymized" if done.rows_anonymized else "",
            ]
            return f"{done.table}: {', '.join(part for part in parts if part)}, version {done.version}"
        case "nothing":
            return f"{done.table}: nothing to do"
        case _:
            return f"{done.table}: {done.status}, nothing was done"


def result_document(done: RetentionResult) -> dict[str, Any]:
    """What a run did, for ``--json``."""
    from lakehouse.cli.errors import describe

    return {
        "now": done.plan.now,
        "tables": [
            {
                "table": each.table,
                "status": each.status,
                "version": each.version,
                "run": each.run,
                "rows_deleted": each.rows_deleted,
                "rows_archived": each.rows_archived,
                "rows_anonymized": each.rows_anonymized,
                "files_dropped": each.files_dropped,
                "files_added": each.files_added,
                "vectors": each.vectors,
                "bytes_written": each.bytes_written,
                "archives": list(each.archives),
                "error": None if each.error is None else describe(each.error),
                "plan": each.plan.to_dict(),
            }
            for each in done.tables
        ],
    }
