"""Makes the plan of one table: rules resolved, files decided by statistics, the rest looked into, brakes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from lakehouse.config.moments import iso
from lakehouse.delta.actions import AddFile
from lakehouse.delta.data import row_counts
from lakehouse.delta.features import ensure_readable, ensure_writable
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError
from lakehouse.merge.files import FileWriter
from lakehouse.protection import Protection, TableHold
from lakehouse.protection.gate import judge
from lakehouse.retention.brakes import brakes_of, warnings_of
from lakehouse.retention.conditions import Condition, condition
from lakehouse.retention.decide import FileVerdicts, ReadyRule, decide_files
from lakehouse.retention.look import Found, Question, look
from lakehouse.retention.plan import Brake, Cost, Held, RulePlan, TableRetention, shown_date
from lakehouse.retention.ready import ready_rules
from lakehouse.retention.target import RetentionTarget
from lakehouse.retention.work import RuleWork, TableWork
from lakehouse.storage import Storage


def plan_table(
    target: RetentionTarget,
    snapshot: Snapshot | None,
    *,
    protection: Protection,
    now: datetime,
    max_fraction: float | None = None,
    allow_empty: bool = False,
) -> TableRetention:
    """Works out what the rules do to a version of a table. Nothing is written.

    Args:
        target: The table.
        snapshot: The version; None where the table has not been made.
        protection: What holds protect.
        now: The moment (timezone-aware).
        max_fraction: Counts in place of the rules' own.
        allow_empty: Whether the table may end up without rows.

    Raises:
        UnsupportedFeatureError: The table needs a feature that is not known here.
        DataError: A condition can't be evaluated on some row.
    """
    if snapshot is None:
        return TableRetention(table=target.name, version=None, protection=protection)
    ensure_readable(snapshot)
    ensure_writable(snapshot)
    ready, brakes = ready_rules(target, snapshot, now=now)
    holds, unread = _holds(protection, snapshot)
    brakes += unread
    plan = TableRetention(table=target.name, version=snapshot.version, protection=protection)
    if unread or not ready:
        # What a hold protects is not known, so nothing may go.
        rules = tuple(_named(each) for each in ready)
        return replace(plan, rules=rules, brakes=tuple(brakes))
    ordered = in_order(ready)
    files = tuple(snapshot.files.values())
    verdicts = decide_files(snapshot, files, ordered, protection=protection, now=now)
    whole, asked = _settled(ordered, verdicts)
    question = Question(rules=ordered, holds=holds)
    found = look(target.storage, snapshot, files, asked, question, table=target.name)
    work, kept = _work(snapshot, question, whole, found)
    total = _live_rows(target.storage, files)
    plans = tuple(
        _rule_plan(files, each, verdict, one, total=total, protection=protection, whole_held=held)
        for each, verdict, one, held in zip(work.rules, verdicts, found, kept, strict=True)
    )
    by_name = {each.rule: each for each in plans}
    shown = tuple(by_name[each.rule.name] for each in ready)
    brakes += brakes_of(
        snapshot, shown, ready, total=total, max_fraction=max_fraction, allow_empty=allow_empty
    )
    return replace(
        plan,
        rows=total,
        rules=shown,
        cost=_cost(target, snapshot, work),
        brakes=tuple(brakes),
        warnings=warnings_of(ordered, verdicts),
        digest=work.digest(),
        work=work,
    )


def in_order(ready: Sequence[ReadyRule]) -> list[ReadyRule]:
    """The order in which rules take rows; a row goes by one rule a run.

    It is that of the config, but for ``anonymize``: it comes after rules that delete, since nothing needs to
    be written over in a row that goes, and before those that archive, so that nothing gets into an archive
    whose time as personal data is over. Such a row is archived by the next run.

    Args:
        ready: In the order of the config.
    """
    taking = [each for each in ready if each.rule.action != "anonymize"]
    masking = [each for each in ready if each.rule.action == "anonymize"]
    first = next((at for at, each in enumerate(taking) if each.rule.action == "archive"), len(taking))
    return [*taking[:first], *masking, *taking[first:]]


def _holds(
    protection: Protection, snapshot: Snapshot
) -> tuple[list[tuple[TableHold, Condition | None]], list[Brake]]:
    verdict = judge("retention", protection)
    found: list[tuple[TableHold, Condition | None]] = [(hold, None) for hold in verdict.refused_by]
    brakes: list[Brake] = []
    for hold in verdict.kept_by:
        what = f"hold {hold.id}"
        try:
            found.append((hold, condition(str(hold.where), snapshot.schema, what=what, secret=True)))
        except LakehouseError as error:
            brakes.append(Brake(kind="condition", rule=None, message=error.message, advice=error.advice))
    return found, brakes


def _work(
    snapshot: Snapshot, question: Question, whole: Sequence[Sequence[int]], found: Sequence[Found]
) -> tuple[TableWork, list[int]]:
    """What goes; and by rule, the rows of files that would go whole and are held."""
    files = tuple(snapshot.files.values())
    everything_held = any(held is None for _, held in question.holds)
    kept = [sum(files[n].live_records or 0 for n in numbers) if everything_held else 0 for numbers in whole]
    rules = tuple(
        RuleWork(
            ready=ready,
            whole=() if everything_held else tuple(files[number] for number in numbers),
            rows=one.positions,
        )
        for ready, numbers, one in zip(question.rules, whole, found, strict=True)
    )
    return TableWork(snapshot=snapshot, files=files, rules=rules), kept


def _settled(
    ordered: Sequence[ReadyRule], verdicts: Sequence[FileVerdicts]
) -> tuple[list[list[int]], list[list[int]]]:
    """By rule, the files that it takes whole, and those that have to be looked into for it.

    A file that one rule takes whole is settled, unless a rule that comes later, and does something else,
    wants rows of it too: then it is looked into, so that the plan can tell how many.
    """
    touched = [{*map(int, verdict.whole), *map(int, verdict.part)} for verdict in verdicts]
    whole: list[list[int]] = []
    asked: list[list[int]] = []
    gone: set[int] = set()
    for number, (ready, verdict) in enumerate(zip(ordered, verdicts, strict=True)):
        others = [
            touched[other]
            for other in range(len(ordered))
            if other != number and (other < number or ordered[other].rule.action != ready.rule.action)
        ]
        wanted = set().union(*others) if others else set()
        mine = [int(n) for n in verdict.whole if int(n) not in gone and int(n) not in wanted]
        gone |= set(mine)
        whole.append(mine)
        asked.append([])
    for number in range(len(ordered)):
        asked[number] = sorted(touched[number] - gone)
    return whole, asked


def _rule_plan(
    files: Sequence[AddFile],
    work: RuleWork,
    verdict: FileVerdicts,
    found: Found,
    *,
    total: int,
    protection: Protection,
    whole_held: int,
) -> RulePlan:
    whole_rows = sum(add.live_records or 0 for add in work.whole)
    rows = found.rows + whole_rows
    reasons = {hold.id: hold.reason for hold in protection.holds}
    held = dict(found.held)
    if whole_held:
        for hold in protection.whole:
            held[hold.id] = held.get(hold.id, 0) + whole_held
    dates = [found.oldest, found.newest, *((verdict.oldest, verdict.newest) if work.whole else ())]
    known = [each for each in dates if each is not None]
    return replace(
        _named(work.ready),
        rows=rows,
        share=rows / total if total else 0.0,
        files=len(work.whole) + len(work.rows),
        files_dropped=len(work.whole),
        bytes=sum(add.size for add in work.whole)
        + sum(_part(files[n], len(p)) for n, p in work.rows.items()),
        oldest=shown_date(min(known)) if known else None,
        newest=shown_date(max(known)) if known else None,
        undated=verdict.undated + found.undated,
        undated_exact=verdict.undated_exact,
        held_rows=found.held_rows + whole_held,
        held=tuple(Held(hold=id_, reason=reasons[id_], rows=rows_) for id_, rows_ in sorted(held.items())),
        taken=dict(found.taken),
    )


def _named(ready: ReadyRule) -> RulePlan:
    rule = ready.rule
    return RulePlan(
        rule=rule.name,
        action=rule.action or "delete",
        column=ready.column,
        keep=str(rule.keep),
        cutoff=iso(ready.cutoff.moment),
        to=rule.to,
        columns=tuple(each.column for each in ready.neutral),
    )


def _part(add: AddFile, rows: int) -> int:
    records = add.physical_records
    return round(add.size * rows / records) if records else 0


def _live_rows(storage: Storage, files: Iterable[AddFile]) -> int:
    """The table's rows; the footers tell where the log does not."""
    total, untold = 0, []
    for add in files:
        rows = add.live_records
        if rows is None:
            untold.append(add)
        else:
            total += rows
    counts = row_counts(storage, untold) if untold else []
    hidden = sum(add.deletion_vector.cardinality for add in untold if add.deletion_vector is not None)
    return total + sum(counts) - hidden


def _cost(target: RetentionTarget, snapshot: Snapshot, work: TableWork) -> Cost:
    writer = FileWriter(storage=target.storage, after=snapshot, reading=snapshot, now_ms=0)
    dead = work.dead
    worn = writer.worn(dead, files=work.files, mode=target.mode(snapshot), dead_share=target.rewrite_share)
    emptied = {n for n, positions in dead.items() if len(positions) == work.files[n].live_records}
    masked = sum(len(p) for r in work.rules if r.ready.rule.action == "anonymize" for p in r.rows.values())
    copied = sum((work.files[n].live_records or 0) - len(dead[n]) for n in worn - emptied)
    archived = [each for each in work.rules if each.ready.rule.action == "archive"]
    return Cost(
        files_dropped=len(work.whole) + len(emptied),
        vectors=len(dead.keys() - worn - emptied),
        files_rewritten=len(worn - emptied),
        rows_written=masked + copied,
        rows_archived=sum(
            sum(add.live_records or 0 for add in each.whole) + sum(map(len, each.rows.values()))
            for each in archived
        ),
    )
