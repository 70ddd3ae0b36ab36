"""``request submit|list|show|approve|reject|cancel|readmit``: what is asked, and what is decided."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lakehouse.cli.cells import Cell, moment, said
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, Fields, plural
from lakehouse.cli.parameters import pairs
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.requests.view import RequestView

Function = TypeVar("Function", bound=Callable[..., Any])

_PLACES = 5

author_option = click.option("--author", metavar="NAME", help="On whose order. Without it: you.")
id_option = click.option(
    "--id",
    "identifiers",
    metavar="NAME=VALUE",
    multiple=True,
    help="What the person is known by; can repeat.",
)


@verb(
    "submit",
    examples=[
        "lakehouse request submit erasure --subject customer --id email=ann@shop.example",
        "lakehouse request submit access --subject customer --id id=7 --external-id T-2026-118",
        "lakehouse request submit --file requests.csv      # kind,subject,external_id,email",
    ],
    python='lake.requests.submit("erasure", subject="customer", email="ann@shop.example")',
)
@click.argument("kind", required=False, metavar="[KIND]")
@click.option("--subject", metavar="NAME", help="The kind of person; a name in `subjects` of the config.")
@id_option
@click.option("--external-id", metavar="ID", help="Your own name for it: it is never submitted twice.")
@click.option(
    "--file",
    "file",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Many: JSON Lines, or CSV with a head line.",
)
@author_option
@click.pass_obj
def submit(
    session: Session,
    *,
    kind: str | None,
    subject: str | None,
    identifiers: tuple[str, ...],
    external_id: str | None,
    file: str | None,
    author: str | None,
) -> None:
    """Submit a request: KIND is erasure or access.

    Who it is about is kept encrypted until it is done, and then as a keyed hash alone. A file is submitted as
    a whole or not at all: all of its mistakes are named.
    """
    context = click.get_current_context()
    requests = session.lake.requests
    if file is not None:
        if identifiers or external_id:
            raise click.UsageError("--id and --external-id are in the file where --file is given", context)
        made = requests.submit_file(file, kind=kind, subject=subject, author=author)
    else:
        if kind is None:
            raise click.UsageError("say what is asked for: erasure or access", context)
        if subject is None:
            raise click.UsageError("say what kind of person it is: --subject NAME", context)
        made = [
            requests.submit(
                kind, subject=subject, identifiers=pairs(identifiers), external_id=external_id, author=author
            )
        ]
    session.out.emit(
        {"requests": [each.to_dict() for each in made]},
        *(_submitted(made[0]) if file is None else _submitted_file(made)),
    )
    needed = session.lake.config.requests.approval == "required"
    if file is None:
        approve = (f"lakehouse request approve {made[0].id}", "somebody else, once it is known who asks")
        steps = [approve] if needed and made[0].status == "received" else []
        session.out.next_steps(*steps, (f"lakehouse request show {made[0].id}", "see what becomes of it"))
    else:
        session.out.next_steps(("lakehouse request list", "see them all"))


def _submitted(request: RequestView) -> list[Block]:
    what = f"{request.kind} for {request.subject}"
    if not request.is_new:
        return [
            f"{request.id} was submitted before ({what}); it is {request.status}, due {_day(request.due)}"
        ]
    blocks: list[Block] = [f"{request.id} is {request.status}: {what}, due {_day(request.due)}"]
    if request.same_as is not None:
        blocks.append(f"  the same person asked for that before: {request.same_as}")
    return blocks + _promise(request)


def _submitted_file(made: list[RequestView]) -> list[Block]:
    new = [each for each in made if each.is_new]
    blocks: list[Block] = [f"{plural(len(new), 'request')} submitted"]
    if len(made) > len(new):
        blocks.append(f"{plural(len(made) - len(new), 'request')} had been submitted before")
    blocks += list(dict.fromkeys(line for each in new[:1] for line in _promise(each)))
    return blocks


def _promise(request: RequestView) -> list[Block]:
    promise = request.promise
    if promise is None:
        return []
    decided = f" ({promise.decided_by} decides)" if promise.decided_by else ""
    if promise.earliest is None:
        head = "  when it can be done can't be told yet:"
    elif not promise.reasons:
        return []
    else:
        late = ", which is after it is due" if promise.late(request.due) else ""
        head = f"  it can be done by {_second(promise.earliest)} at the earliest{late}{decided}:"
    return [head, *(f"    {reason}" for reason in promise.reasons)]


@verb(
    "list",
    examples=[
        "lakehouse request list",
        "lakehouse request list --overdue",
        "lakehouse request list --status completed --json",
    ],
    python="lake.requests.list(status=None, kind=None, overdue=False, all=False)",
)
@click.option("--status", metavar="STATUS", help="Only those of a status, as held.")
@click.option("--kind", metavar="KIND", help="Only erasure, or access.")
@click.option("--overdue", is_flag=True, help="Only those that should be done and are not.")
@click.option("--all", "everything", is_flag=True, help="Also those that are done, rejected or cancelled.")
@click.pass_obj
def list_(session: Session, *, status: str | None, kind: str | None, overdue: bool, everything: bool) -> None:
    """List requests that are not done yet."""
    now = datetime.now(UTC)
    found = session.lake.requests.list(status=status, kind=kind, overdue=overdue, all=everything)
    rows: list[list[Cell]] = [
        [
            said(each.id),
            said(each.kind),
            said(each.subject),
            said(each.status),
            said(_day(each.due) + (" overdue" if each.overdue(now) else "")),
            said(_second(each.submitted)),
            said(each.author),
            said(each.external_id or ""),
        ]
        for each in found
    ]
    columns = ["request", "kind", "subject", "status", "due", "since", "by", "external id"]
    blocks: list[Block] = [Grid(columns, rows).without_empty("external id")] if rows else ["no request waits"]
    session.out.emit({"requests": [each.to_dict() for each in found]}, *blocks)


@verb(
    "show",
    examples=["lakehouse request show req-7f3k2q", "lakehouse request show req-7f3k2q --json"],
    python="lake.requests.show(request_id)",
)
@click.argument("request_id", metavar="REQUEST")
@click.pass_obj
def show(session: Session, *, request_id: str) -> None:
    """Show a request: what was asked, and what happened to it."""
    found = session.lake.requests.show(request_id)
    rows: list[list[Cell]] = [
        [said(_second(each.at)), said(each.event), said(each.author), said(_detail(each.detail))]
        for each in found.events
    ]
    fields = [
        ("request", found.id),
        ("asks for", f"{found.kind} of a {found.subject}"),
        ("known by", ", ".join(found.identifiers)),
        ("status", found.status),
        ("due", _second(found.due)),
        ("submitted", f"{_second(found.submitted)} by {found.author}"),
    ]
    fields += [("external id", found.external_id)] if found.external_id else []
    fields += [("same person", found.same_as)] if found.same_as else []
    session.out.emit(
        found.to_dict(), Fields(*fields), *_promise(found), Grid(["when", "event", "by", "detail"], rows)
    )


def _detail(detail: Any) -> str:
    said = [f"{name} {value}" for name, value in detail.items() if not isinstance(value, dict | list)]
    for table, counts in detail.get("rows", {}).items() if isinstance(detail.get("rows"), dict) else ():
        said.append(f"{table}: {', '.join(f'{what} {rows}' for what, rows in counts.items())}")
    said += [f"holds {', '.join(detail['holds'])}"] if detail.get("holds") else []
    places = detail.get("places", ())
    # The reason names the first.
    said += [f"also in {place}" for place in places[1:_PLACES]]
    said += [f"and {len(places) - _PLACES:,} more places; --json lists all"] if len(places) > _PLACES else []
    if files := detail.get("files"):
        names = dict.fromkeys(file["table"] for file in files)
        said.append(f"{plural(len(files), 'file')} of {', '.join(names)}")
    for table, done in detail["tables"].items() if isinstance(detail.get("tables"), dict) else ():
        closed = sum(last - first + 1 for first, last in done.get("closed", ()))
        said += [f"{table}: {plural(closed, 'version')} closed"] if closed else []
    return "; ".join(said)


@verb(
    "approve",
    examples=["lakehouse request approve req-7f3k2q"],
    python="lake.requests.approve(request_id)",
)
@click.argument("request_id", metavar="REQUEST")
@click.option("--reason", metavar="TEXT", default="", help="Why.")
@author_option
@click.pass_obj
def approve(session: Session, *, request_id: str, reason: str, author: str | None) -> None:
    """Approve a request, so that it may be carried out."""
    _decided(session, session.lake.requests.approve(request_id, reason=reason, author=author))


@verb(
    "reject",
    examples=['lakehouse request reject req-7f3k2q --reason "identity not proved"'],
    python="lake.requests.reject(request_id, reason=...)",
)
@click.argument("request_id", metavar="REQUEST")
@click.option("--reason", required=True, metavar="TEXT", help="Why. Shown to many: no personal data.")
@author_option
@click.pass_obj
def reject(session: Session, *, request_id: str, reason: str, author: str | None) -> None:
    """Reject a request: it is not carried out, and forgets who it was about."""
    _decided(session, session.lake.requests.reject(request_id, reason=reason, author=author))


@verb(
    "cancel",
    examples=["lakehouse request cancel req-7f3k2q"],
    python="lake.requests.cancel(request_id)",
)
@click.argument("request_id", metavar="REQUEST")
@click.option("--reason", metavar="TEXT", default="", help="Why.")
@author_option
@click.pass_obj
def cancel(session: Session, *, request_id: str, reason: str, author: str | None) -> None:
    """Take a request back: it is not carried out, and forgets who it was about."""
    _decided(session, session.lake.requests.cancel(request_id, reason=reason, author=author))


def _decided(session: Session, found: RequestView) -> None:
    session.out.emit(found.to_dict(), f"{found.id} is {found.status}")


@verb(
    "readmit",
    examples=[
        'lakehouse request readmit --subject customer --id email=ann@shop.example --reason "new consent"'
    ],
    python='lake.requests.readmit("customer", email="ann@shop.example", reason="new consent")',
)
@click.option("--subject", required=True, metavar="NAME", help="The kind of person.")
@id_option
@click.option("--reason", required=True, metavar="TEXT", help="Why, as a new consent. No personal data.")
@author_option
@click.pass_obj
def readmit(
    session: Session, *, subject: str, identifiers: tuple[str, ...], reason: str, author: str | None
) -> None:
    """Let somebody come back who was erased."""
    number = session.lake.requests.readmit(
        subject, identifiers=pairs(identifiers), reason=reason, author=author
    )
    session.out.emit({"identifiers": number}, f"{plural(number, 'identifier')} may come back")


def _second(value: datetime) -> str:
    return moment(value.replace(microsecond=0))


def _day(value: datetime) -> str:
    return f"{value:%Y-%m-%d}"
