"""What a run of retention did, as the state database keeps it: by table and rule."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, Final

from lakehouse.records import Records, operator
from lakehouse.retention.plan import RetentionPlan
from lakehouse.retention.results import TableResult
from lakehouse.state.rows import ActionRecord

KIND: Final = "retention"


def keep_plan(plan: RetentionPlan, records: Records, *, now: datetime) -> str | None:
    """Keeps a plan that is about to be carried out.

    Args:
        plan: With something to do.
        records: Where it is kept.
        now: The time.

    Returns:
        Its id; None where nothing is kept.
    """
    digests = "\n".join(f"{each.table} {each.digest}" for each in plan.tables)
    return records.plan(
        kind=KIND,
        versions={each.table: each.version for each in plan.tables if each.version is not None},
        digest=hashlib.sha256(digests.encode()).hexdigest(),
        document=plan.to_dict(),
        now=now,
    )


def records_of(result: TableResult, *, plan: str | None, at: datetime) -> list[ActionRecord]:
    """What was done to a table, rule by rule.

    Args:
        result: What was done.
        plan: The id of the plan that was carried out.
        at: When.
    """
    if result.version is None:
        return []
    archives = iter(result.archives)
    by_order = {each.ready.rule.name: each for each in result.plan.work.rules} if result.plan.work else {}
    plans = {each.rule: each for each in result.plan.rules}
    found: list[ActionRecord] = []
    # Archives are written in the order in which rules take rows.
    for each in (plans[name] for name in by_order or plans):
        if not each.rows:
            continue
        detail: dict[str, Any] = {"run": result.run, "column": each.column, "cutoff": each.cutoff}
        if each.action == "archive":
            detail["archive"] = next(archives, None)
        found.append(
            ActionRecord(
                kind=KIND,
                action=each.action,
                table=result.table,
                at=at,
                author=operator(),
                plan=plan,
                rule=each.rule,
                version_before=result.version - 1,
                version_after=result.version,
                rows=each.rows,
                files=each.files,
                bytes=each.bytes,
                held_back=each.held_rows,
                detail=detail,
            )
        )
    return found
