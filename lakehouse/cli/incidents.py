"""The verbs about incidents: ``incidents list``, ``show``, ``ack``, ``resolve``, ``chart``."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import click

from lakehouse.cli.cells import Cell, cell, said, span
from lakehouse.cli.chart import drawn, value
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import VerbGroup, verb
from lakehouse.cli.output import Block, Fields
from lakehouse.cli.parameters import Whole, words
from lakehouse.cli.session import Session
from lakehouse.jobs.result import in_words

if TYPE_CHECKING:
    from lakehouse.observability.charts.chart import Chart
    from lakehouse.observability.incidents.status import IncidentView

_LIMIT = 50
_OPEN = ("open", "acknowledged")


@click.group(cls=VerbGroup, subcommand_metavar="VERB [ARGS]...")
def incidents() -> None:
    """See what went out of control, look at its chart, take note of it, end it."""


@verb(
    "list",
    examples=["lakehouse incidents list", "lakehouse incidents list --all --table orders"],
    python='lake.incidents.list(status=("open", "acknowledged"), table=None, job=None, limit=50)',
)
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@click.option("--status", multiple=True, metavar="STATUS", help="Only these, as recovered; can repeat.")
@click.option("--table", metavar="TABLE", help="Only of one table.")
@click.option("--job", metavar="JOB", help="Only of one job.")
@click.option(
    "-n", "--limit", type=Whole(min=0), metavar="N", default=_LIMIT, show_default=True, help="At most N."
)
@click.pass_obj
def list_(
    session: Session,
    *,
    everything: bool,
    status: tuple[str, ...],
    table: str | None,
    job: str | None,
    limit: int,
) -> None:
    """List the incidents that are not over, newest first."""
    if everything and status:
        raise click.UsageError("--all and --status exclude each other", click.get_current_context())
    wanted = None if everything else words(status) or _OPEN
    found = session.lake.incidents.list(status=wanted, table=table, job=job, limit=limit)
    rows: list[list[Cell]] = [
        [
            said(each.id),
            said(f"{each.scope} {each.subject}"),
            said(each.measure),
            said(each.status),
            said(_time(each.opened)),
            said("" if each.seconds_to_resolve is None else span(each.seconds_to_resolve)),
            said(each.rules[0].replace("_", " ")),
            said(each.reason),
        ]
        for each in found
    ]
    grid = Grid(["incident", "of", "measure", "status", "opened", "lasted", "rule", "reason"], rows)
    empty = "no incidents" if everything or status else "nothing is out of control"
    blocks: list[Block] = [grid.without_empty("lasted", "reason")] if rows else [empty]
    session.out.emit({"incidents": [_short(each) for each in found]}, *blocks)


@verb(
    "show",
    examples=["lakehouse incidents show", "lakehouse incidents show inc-7f3k2q"],
    python='lake.incidents.show("inc-7f3k2q"); lake.incidents.chart_of("inc-7f3k2q")',
)
@click.argument("incident", required=False, metavar="[INCIDENT]")
@click.pass_obj
def show(session: Session, *, incident: str | None) -> None:
    """Show an incident: its chart, what changed around it, and what became of it.

    Without INCIDENT: the newest that is not over.
    """
    verbs = session.lake.incidents
    if incident is None:
        newest = verbs.list(limit=1)
        if not newest:
            session.out.emit({"incident": None}, "nothing is out of control")
            return
        incident = newest[0].id
    found, chart = verbs.show(incident), verbs.chart_of(incident)
    unit = "" if chart is None else chart.unit
    usual = ""
    if chart is not None and found.limits:
        edges = [float(found.limits[each]) for each in ("lower", "center", "upper")]
        if unit == "share":
            edges = [min(max(each, 0.0), 1.0) for each in edges]
        low, center, high = (value(each, unit) for each in edges)
        usual = f"{center} ({low} to {high}), learned from {found.limits['baseline_points']} points"
    blocks: list[Block] = [
        Fields(
            ("incident", found.id),
            ("of", f"{found.scope} {found.subject}, {found.measure}"),
            ("status", found.status + (", expected from now on" if found.expected else "")),
            ("rules", ", ".join(each.replace("_", " ") for each in found.rules)),
            ("usual", usual or None),
            ("first point", _time(found.first)),
            ("opened", f"{_time(found.opened)}, {span(found.seconds_to_detect)} later"),
            ("over after", None if found.seconds_to_resolve is None else span(found.seconds_to_resolve)),
        ),
        "",
    ]
    if chart is not None:
        blocks += [*_headed(chart), ""]
    blocks += _around(found)
    blocks += [_story(found)]
    document = {**found.to_dict(), "chart": None if chart is None else chart.to_dict()}
    session.out.emit(document, *blocks)
    if found.status == "open":
        session.out.next_steps(
            (f"lakehouse incidents ack {found.id} --reason TEXT", "say who looks after it")
        )


@verb(
    "ack",
    examples=['lakehouse incidents ack inc-7f3k2q --reason "asking the shop team"'],
    python='lake.incidents.acknowledge("inc-7f3k2q", reason="asking the shop team")',
)
@click.argument("incident", metavar="INCIDENT")
@click.option("--reason", required=True, metavar="TEXT", help="What is being done. No personal data.")
@click.option("--author", metavar="NAME", help="Who takes note. Without it: you.")
@click.pass_obj
def ack(session: Session, *, incident: str, reason: str, author: str | None) -> None:
    """Take note of an incident: somebody looks after it. It goes on."""
    done = session.lake.incidents.acknowledge(incident, reason=reason, author=author)
    session.out.emit(_short(done), f"{done.id} is acknowledged by {done.acknowledged_by}")
    session.out.next_steps((f"lakehouse incidents resolve {done.id} --reason TEXT", "end it"))


@verb(
    "resolve",
    examples=[
        'lakehouse incidents resolve inc-7f3k2q --reason "the source is mended"',
        'lakehouse incidents resolve inc-7f3k2q --expected --reason "two shops more since Monday"',
    ],
    python='lake.incidents.resolve("inc-7f3k2q", reason="...", expected=False)',
)
@click.argument("incident", metavar="INCIDENT")
@click.option("--reason", required=True, metavar="TEXT", help="What it was. No personal data.")
@click.option(
    "--expected",
    is_flag=True,
    help="This is how it is to be: what is usual is learned anew, from the incident's first point on.",
)
@click.option("--author", metavar="NAME", help="Who ends it. Without it: you.")
@click.pass_obj
def resolve(session: Session, *, incident: str, reason: str, expected: bool, author: str | None) -> None:
    """End an incident.

    Its points are left out of what is usual, unless they are expected from now on.
    """
    done = session.lake.incidents.resolve(incident, reason=reason, expected=expected, author=author)
    more = "; what is usual is learned anew" if done.expected else ""
    session.out.emit(_short(done), f"{done.id} is resolved by {done.resolved_by}{more}")


@verb(
    "chart",
    examples=[
        "lakehouse incidents chart load seconds",
        "lakehouse incidents chart orders null_share:email",
        "lakehouse incidents chart orders                  # what there is, with the newest points",
    ],
    python='lake.incidents.chart("orders", "null_share:email"); lake.incidents.series("orders")',
)
@click.argument("name", metavar="NAME")
@click.argument("measure", required=False, metavar="[MEASURE]")
@click.option("--job", "scope", flag_value="job", help="NAME is a job, not a table.")
@click.option("--table", "scope", flag_value="table", help="NAME is a table, not a job.")
@click.option(
    "-n",
    "--limit",
    type=Whole(min=1),
    metavar="N",
    default=_LIMIT,
    show_default=True,
    help="The newest N points.",
)
@click.pass_obj
def chart(
    session: Session,
    *,
    name: str,
    measure: str | None,
    scope: Literal["job", "table"] | None,
    limit: int,
) -> None:
    """Draw the chart of a job or a table. Without MEASURE: list what is measured."""
    if measure is None:
        _measures(session, name, scope)
        return
    found = session.lake.incidents.chart(name, measure, scope=scope, points=limit)
    session.out.emit(found.to_dict(), *_headed(found))


def _measures(session: Session, name: str, scope: str | None) -> None:
    found = [each for each in session.lake.incidents.series(name) if scope in (None, each.key.scope)]
    rows: list[list[Cell]] = [
        [
            said(each.key.scope),
            said(each.key.name),
            said(f"{each.newest.value:,.6g}"),
            said("" if each.newest.version is None else str(each.newest.version)),
            said(_time(each.newest.at)),
        ]
        for each in found
    ]
    document = [
        {
            each.key.scope: each.key.subject,
            "measure": each.key.name,
            "value": each.newest.value,
            "version": each.newest.version,
            "time": each.newest.at,
            "run": each.newest.run or None,
        }
        for each in found
    ]
    grid = Grid(["of", "measure", "newest", "version", "time"], rows).without_empty("version")
    blocks: list[Block] = [grid] if rows else [f"nothing was measured of {name} yet"]
    session.out.emit({"series": document}, *blocks)


def _headed(chart: Chart) -> list[Block]:
    scale = ", on a logarithmic scale" if chart.logarithmic else ""
    lines: list[Block] = [f"{chart.scope} {chart.subject}: {chart.title}{scale}"]
    if chart.measure.startswith("null_share:"):
        lines = [f"{chart.scope} {chart.subject}, column {chart.measure.partition(':')[2]}: {chart.title}"]
    lines += drawn(chart)
    if chart.limits is None:
        lines.append("too few points to say what is usual")
    return lines


def _around(found: IncidentView) -> list[Block]:
    around = found.around
    rows = [
        [
            said(str(each["version"])),
            said(each.get("operation") or ""),
            said(_iso(each.get("time"))),
            said(in_words(each["counts"])),
            said(each.get("run") or ""),
        ]
        for each in around.get("versions", ())
        if "operation" in each
    ]
    blocks: list[Block] = []
    if rows:
        grid = Grid(["version", "operation", "time", "did", "run"], rows)
        blocks += ["what changed:", grid.without_empty("did", "run"), ""]
    runs = [
        f"{each['run']} ({each['job']})" + (f": {did}" if (did := in_words(each["counts"])) else "")
        for each in around.get("runs", ())
        if "job" in each
    ]
    lineage: dict[str, Any] = around.get("lineage", {})
    fields = [("run", ", ".join(runs) or None)]
    fields += [
        (name.replace("_", " "), ", ".join(lineage[name]) or None)
        for name in ("jobs_before", "jobs", "tables", "derived_from", "derived")
        if name in lineage
    ]
    versions = [
        f"{each['table']} {each['version']}" for each in around.get("versions", ()) if "table" in each
    ]
    fields.append(("made", ", ".join(versions) or None))
    return [*blocks, Fields(*fields), ""]


def _story(found: IncidentView) -> Grid:
    rows: list[list[Cell]] = [
        [
            cell(each.at.replace(microsecond=0)),
            said(each.event),
            said(each.author),
            said(each.reason or str(each.detail.get("rule", "")).replace("_", " ")),
        ]
        for each in found.events
    ]
    return Grid(["time", "event", "by", "why"], rows).without_empty("by")


def _short(each: IncidentView) -> dict[str, Any]:
    document = each.to_dict()
    return {name: document[name] for name in document if name not in {"points", "around", "events"}}


def _iso(text: str | None) -> str:
    return "" if text is None else _time(datetime.fromisoformat(text))


def _time(moment: datetime) -> str:
    return cell(moment.replace(microsecond=0)).text


for _command in (list_, show, ack, resolve, chart):
    incidents.add_command(_command)
