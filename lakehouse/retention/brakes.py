"""What stops a plan: rules that can't be meant, contradictions, too many rows at once. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lakehouse.config.models import RetentionRule
from lakehouse.delta import protocols
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError, NotBuiltError
from lakehouse.retention.decide import FileVerdicts, ReadyRule
from lakehouse.retention.plan import Brake, BrakeKind, RulePlan


def refused_rule(rule: RetentionRule, kind: BrakeKind, error: LakehouseError) -> Brake:
    """The brake for a rule that can't be resolved against a table.

    Args:
        rule: The rule.
        kind: What of it can't be.
        error: Why not.
    """
    if isinstance(error, NotBuiltError):
        kind = "not_built"
    return Brake(kind=kind, rule=rule.name, message=error.message, advice=error.advice)


def brakes_of(
    snapshot: Snapshot,
    plans: Sequence[RulePlan],
    ready: Sequence[ReadyRule],
    *,
    total: int,
    max_fraction: float | None,
    allow_empty: bool,
) -> list[Brake]:
    """What stands in the way of a plan.

    Args:
        snapshot: The version.
        plans: What the rules do.
        ready: The rules, in the same order.
        total: The table's rows.
        max_fraction: Counts in place of the rules' own.
        allow_empty: Whether the table may end up without rows.
    """
    found = list(contradictions(ready))
    found += _shared(plans, known={brake.rule for brake in found})
    if any(each.rows for each in plans) and protocols.append_only(snapshot.protocol, snapshot.metadata):
        found.append(
            Brake(
                kind="append_only",
                rule=None,
                message="it only takes new rows (delta.appendOnly)",
                advice="take the property off the table, or its rules out of the config",
            )
        )
    for plan, each in zip(plans, ready, strict=True):
        most = each.rule.max_fraction if max_fraction is None else max_fraction
        if plan.share > most:
            found.append(
                Brake(
                    kind="max_fraction",
                    rule=plan.rule,
                    message=(
                        f"rule {plan.rule} would take {plan.rows:,} of {total:,} rows "
                        f"({plan.share:.0%}); at most {most:.0%} may go in one run"
                    ),
                    advice="if that is meant, say --max-fraction (max_fraction=) for this run",
                )
            )
    gone = sum(each.rows for each in plans if each.action != "anonymize")
    if total and gone >= total and not allow_empty:
        found.append(
            Brake(
                kind="empty",
                rule=None,
                message=f"it would have no rows left ({total:,} would go)",
                advice="if that is meant, say --allow-empty (allow_empty=True)",
            )
        )
    return found


def contradictions(ready: Sequence[ReadyRule]) -> Iterator[Brake]:
    """Rules that can't both be meant: an earlier one deletes all that a later one should archive.

    Args:
        ready: In the order of the config.
    """
    for at, later in enumerate(ready):
        if later.rule.action != "archive":
            continue
        for earlier in ready[:at]:
            if earlier.rule.action == "delete" and _covers(earlier, later):
                yield Brake(
                    kind="contradiction",
                    rule=later.rule.name,
                    message=(
                        f"rule {later.rule.name} never archives a row: rule {earlier.rule.name}, which comes "
                        "first, deletes them all"
                    ),
                    advice="put the rule that archives first, or take one of the two out",
                )
                break


def _covers(earlier: ReadyRule, later: ReadyRule) -> bool:
    """Whether every row that the later rule is about is one of the earlier's too."""
    same = earlier.column == later.column and earlier.rule.where in (None, later.rule.where)
    return same and earlier.cutoff.moment >= later.cutoff.moment


def _shared(plans: Sequence[RulePlan], *, known: set[str | None]) -> Iterator[Brake]:
    """Rows that should be archived and are deleted before."""
    actions = {each.rule: each.action for each in plans}
    for plan in plans:
        for other, rows in plan.taken.items():
            if plan.action == "archive" and actions[other] == "delete" and plan.rule not in known:
                yield Brake(
                    kind="contradiction",
                    rule=plan.rule,
                    message=(
                        f"{rows:,} rows that rule {plan.rule} should archive would be deleted by rule "
                        f"{other}, which comes first"
                    ),
                    advice="put the rule that archives first, or tell the two apart with `where`",
                )


def warnings_of(ready: Sequence[ReadyRule], verdicts: Sequence[FileVerdicts]) -> tuple[str, ...]:
    """What looks odd, and does not stop a plan.

    Args:
        ready: The rules.
        verdicts: What statistics say of each.
    """
    return tuple(
        f"rule {each.rule.name}: column {each.column} has dates more than a day ahead; those rows stay"
        + (" (is `unit` right?)" if each.cutoff.unit else "")
        for each, verdict in zip(ready, verdicts, strict=True)
        if verdict.ahead
    )
