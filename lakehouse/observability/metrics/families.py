"""From what there is to tell to metrics: names, help, samples. Pure. docs/how-to/monitoring.md lists them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final, Literal

from lakehouse.jobs.status import TERMINAL
from lakehouse.observability.metrics.adding import DURATIONS, LAGS
from lakehouse.observability.metrics.facts import Facts

Labels = tuple[str, ...]

_KINDS: Final = ("access", "erasure")


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many there were up to each bound.

    Args:
        counts: Between the bounds, and above the last one.
        total: Of all values.
    """

    counts: Sequence[int]
    total: float


@dataclass(frozen=True, slots=True)
class Family:
    """A metric.

    Args:
        name: Its name, without what the format adds to it.
        kind: What it is.
        help: What it says.
        labels: The names of its labels; the lake's comes before them.
        values: By values of labels.
        bounds: Of a histogram.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: Labels = ()
    values: Mapping[Labels, float | Histogram] = field(default_factory=dict)
    bounds: Sequence[float] = ()


def families(facts: Facts) -> Iterator[Family]:
    """All metrics, in the order in which they are written.

    Args:
        facts: What there is to tell.
    """
    yield _gauge("lakehouse_info", "The release that tells.", {(version("lakehouse"),): 1}, "version")
    yield from _runs(facts)
    yield from _jobs(facts)
    yield from _requests(facts)
    yield from _tables(facts)
    yield from _alerts(facts)
    if facts.lineage_failures is not None:
        yield Family(
            "lakehouse_lineage_failures",
            "counter",
            "Events of lineage that could not be sent.",
            (),
            {(): float(facts.lineage_failures)},
        )
    yield _gauge("lakehouse_state_size_bytes", "The size of the state database.", {(): facts.size})


def _runs(facts: Facts) -> Iterator[Family]:
    runs: dict[Labels, float] = {
        (job, status): 0.0 for job in facts.jobs for status in sorted(TERMINAL - {"skipped", "cancelled"})
    }
    runs |= {key: total["runs"] for key, total in facts.totals.items()}
    yield Family("lakehouse_job_runs", "counter", "Runs that are over.", ("job", "status"), runs)
    done = [item for item in facts.totals.items() if item[0][1] in {"succeeded", "failed"}]
    for name, key, bounds, text in (
        (
            "lakehouse_job_run_duration_seconds",
            "took",
            DURATIONS,
            "How long runs took, from their last start.",
        ),
        (
            "lakehouse_job_run_lag_seconds",
            "lag",
            LAGS,
            "How long after its moment a scheduled run was begun.",
        ),
    ):
        values = {
            (job,): _merged([total for (of, _), total in done if of == job], key) for (job, _), _ in done
        }
        shown: dict[Labels, float | Histogram] = {
            labels: value for labels, value in values.items() if value is not None
        }
        yield Family(name, "histogram", text, ("job",), shown, bounds)
    for status, word in (("succeeded", "success"), ("failed", "failure")):
        yield _gauge(
            f"lakehouse_job_last_{word}_timestamp_seconds",
            f"When a run {status} last.",
            {(job,): total["last"] for (job, of), total in facts.totals.items() if of == status},
            "job",
        )
    counts: Counter[Labels] = Counter()
    for (job, _), total in facts.totals.items():
        for what, number in total.get("counts", {}).items():
            counts[job, what] += number
    yield Family(
        "lakehouse_job_done", "counter", "What runs did: rows, bytes, files and so on.", ("job", "what"),
        {key: float(number) for key, number in counts.items()},
    )  # fmt: skip


def _jobs(facts: Facts) -> Iterator[Family]:
    jobs = facts.jobs
    yield _gauge(
        "lakehouse_job_next_run_timestamp_seconds",
        "The next moment of a job's schedule.",
        {(job,): moment.timestamp() for job, moment in facts.next_runs.items()},
        "job",
    )
    yield _gauge(
        "lakehouse_job_running_runs",
        "Runs that go on.",
        {(job,): facts.running.get(job, 0) for job in jobs},
        "job",
    )
    yield _gauge(
        "lakehouse_job_paused",
        "Whether a schedule is at rest.",
        {(job,): job in facts.paused for job in jobs},
        "job",
    )
    yield _gauge(
        "lakehouse_job_late",
        "Whether a job should have been begun and was not.",
        {(job,): job in facts.late for job in jobs},
        "job",
    )


def _requests(facts: Facts) -> Iterator[Family]:
    kinds = Counter(each.kind for each in facts.requests)
    late = Counter(each.kind for each in facts.requests if each.due < facts.now)
    yield _gauge(
        "lakehouse_requests_open", "Requests that are not done.", {(k,): kinds[k] for k in _KINDS}, "kind"
    )
    yield _gauge(
        "lakehouse_requests_overdue",
        "Requests that are not done and should be.",
        {(k,): late[k] for k in _KINDS},
        "kind",
    )
    due = min((each.due.timestamp() for each in facts.requests), default=None)
    yield _gauge(
        "lakehouse_requests_next_due_timestamp_seconds",
        "When the request is due that is due first.",
        {} if due is None else {(): due},
    )
    yield _gauge("lakehouse_holds_active", "Holds that are active.", {(): facts.holds})


def _tables(facts: Facts) -> Iterator[Family]:
    for name, attribute, text in (
        ("lakehouse_table_rows", "rows", "Rows of the newest version."),
        ("lakehouse_table_size_bytes", "bytes", "The size of the newest version's data files."),
        ("lakehouse_table_files", "files", "Data files of the newest version."),
        ("lakehouse_table_version", "version", "The newest version."),
    ):
        found = {(each.table,): getattr(each, attribute) for each in facts.tables}
        yield _gauge(name, text, {key: value for key, value in found.items() if value is not None}, "table")
    ages: dict[Labels, float] = {
        (each.table,): max((facts.now - each.changed).total_seconds(), 0.0)
        for each in facts.tables
        if each.changed is not None
    }
    yield _gauge("lakehouse_table_age_seconds", "How long ago the newest version was made.", ages, "table")
    yield _gauge(
        "lakehouse_table_freshness_limit_seconds",
        "How old a table may be, as the config expects.",
        {(table,): limit for table, limit in facts.fresh.items()},
        "table",
    )
    yield _gauge("lakehouse_incidents_open", "Incidents that are not resolved.", {(): facts.incidents})


def _alerts(facts: Facts) -> Iterator[Family]:
    known = {name: each for name, each in facts.targets.items() if each is not None}
    yield Family(
        "lakehouse_alert_messages", "counter", "Messages that were sent.", ("target",),
        {(name,): float(each.messages) for name, each in known.items()},
    )  # fmt: skip
    yield Family(
        "lakehouse_alert_failures", "counter", "Messages that could not be sent.", ("target",),
        {(name,): float(each.failures) for name, each in known.items()},
    )  # fmt: skip
    yield _gauge(
        "lakehouse_alert_failing",
        "Whether the last message could not be sent.",
        {(name,): each.tries > 0 for name, each in known.items()},
        "target",
    )


def _gauge(name: str, text: str, values: Mapping[Labels, float], *labels: str) -> Family:
    return Family(name, "gauge", text, labels, {key: float(value) for key, value in values.items()})


def _merged(totals: Sequence[Mapping[str, Any]], key: str) -> Histogram | None:
    found = [total for total in totals if key in total]
    if not found:
        return None
    counts = [sum(each) for each in zip(*(total[key] for total in found), strict=True)]
    return Histogram(counts, sum(total[f"{key}_sum"] for total in found))
