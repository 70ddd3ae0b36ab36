"""Rules made ready for one version of a table: moments, conditions and neutral values, or why not. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from lakehouse.config.models import RetentionRule
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import KeysError, NotBuiltError, RefusedError
from lakehouse.merge.shredded import shredded_in
from lakehouse.retention.brakes import refused_rule
from lakehouse.retention.conditions import Condition, condition
from lakehouse.retention.cutoff import cutoff_of
from lakehouse.retention.decide import ReadyRule
from lakehouse.retention.neutral import Neutral, neutral_values
from lakehouse.retention.plan import Brake, BrakeKind
from lakehouse.retention.target import RetentionTarget

T = TypeVar("T")


def ready_rules(
    target: RetentionTarget, snapshot: Snapshot, *, now: datetime
) -> tuple[list[ReadyRule], list[Brake]]:
    """Finds the rules that can be used, and why the others can't: all that is wrong with each.

    Args:
        target: The table, with its rules.
        snapshot: The version.
        now: The moment that periods are counted back from (timezone-aware).
    """
    found: list[ReadyRule] = []
    brakes: list[Brake] = []
    for rule in target.rules:
        steps = _Steps(rule)
        age: BrakeKind = "wrong_type" if rule.column in snapshot.schema else "missing_column"
        cutoff = steps.take(age, lambda rule: cutoff_of(rule, snapshot.schema, now=now))
        where = steps.take("condition", lambda rule: _where(rule, snapshot))
        neutral = steps.take("wrong_type", lambda rule: _neutral(rule, snapshot, target))
        if rule.action == "archive":
            steps.take("archive", target.check_archive)
        brakes += steps.brakes
        if cutoff is not None and not steps.brakes:
            found.append(ReadyRule(rule=rule, cutoff=cutoff, where=where, neutral=neutral or ()))
    return found, brakes


class _Steps:
    """How a rule is resolved, step by step: one that fails does not hide what the next has to say."""

    def __init__(self, rule: RetentionRule) -> None:
        self.rule = rule
        self.brakes: list[Brake] = []

    def take(self, kind: BrakeKind, step: Callable[[RetentionRule], T]) -> T | None:
        try:
            return step(self.rule)
        except (RefusedError, NotBuiltError, KeysError) as error:
            self.brakes.append(refused_rule(self.rule, kind, error))
            return None


def _where(rule: RetentionRule, snapshot: Snapshot) -> Condition | None:
    if rule.where is None:
        return None
    found = condition(rule.where, snapshot.schema, what=f"rule {rule.name}", secret=False)
    closed = [name for name in found.columns if name in shredded_in(snapshot.configuration)]
    if closed:
        raise RefusedError(
            f"the condition of rule {rule.name} asks for {', '.join(closed)}, which is stored under keys of "
            "people: no row would meet it",
            advice="let it ask for other columns",
        )
    return found


def _neutral(rule: RetentionRule, snapshot: Snapshot, target: RetentionTarget) -> tuple[Neutral, ...]:
    if rule.action != "anonymize":
        return ()
    return neutral_values(rule, snapshot, config=target.config, pii=target.pii, ring=target.ring)
