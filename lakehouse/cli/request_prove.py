"""``request certificate``, ``public-key``, ``verify-certificate``: what is proved, and checking it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lakehouse.cli.cells import Cell, amount, moment, said, size
from lakehouse.cli.grid import Grid
from lakehouse.cli.lazy import verb
from lakehouse.cli.output import Block, Fields, plural
from lakehouse.cli.session import Session

if TYPE_CHECKING:
    from lakehouse.lake import Lakehouse
    from lakehouse.requests.certificate import Signed, Verdict

_FOUND_SOMETHING = 5
_PAGES = frozenset({".html", ".htm"})


@verb(
    "certificate",
    examples=[
        "lakehouse request certificate req-7f3k2q",
        "lakehouse request certificate req-7f3k2q --to certificate.html",
        "lakehouse request certificate req-7f3k2q --to certificate.json",
    ],
    python="lake.requests.certificate(request_id)",
)
@click.argument("request_id", metavar="REQUEST")
@click.option(
    "--to",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write it there: .html is a page for people, .json what is signed.",
)
@click.pass_obj
def certificate(session: Session, *, request_id: str, to: str | None) -> None:
    """Show or save the certificate of a request that was carried out.

    The JSON is what is signed; the page is made from it. Others check the JSON with the lake's public key
    (`lakehouse request public-key`).
    """
    from lakehouse.requests.certificate import as_document, page
    from lakehouse.requests.certificate.canonical import canonical

    path = None if to is None else Path(to)
    if path is not None and path.suffix.lower() not in {*_PAGES, ".json"}:
        raise click.UsageError(
            "a certificate is a page (.html) or the signed JSON (.json)", click.get_current_context()
        )
    signed = session.lake.requests.certificate(request_id)
    document = as_document(signed)
    if path is None:
        session.out.emit(document, *_shown(signed))
        return
    is_page = path.suffix.lower() in _PAGES
    path.write_bytes(page(signed).encode() if is_page else canonical(document))
    session.out.emit({"request": request_id, "file": str(path)}, f"certificate of {request_id}: {path}")
    if not is_page:
        session.out.next_steps((f"lakehouse request verify-certificate {path}", "check it"))


def _shown(signed: Signed) -> list[Block]:
    found = signed.certificate
    total = [
        sum(getattr(each, name) for each in found.search.searched) for name in ("objects", "bytes", "rows")
    ]
    rows: list[list[Cell]] = [
        [
            said(each.name),
            amount(each.rows.deleted),
            amount(each.rows.anonymized),
            amount(each.rows.kept),
            amount(len(each.files)),
            amount(len(each.closed_versions)),
            amount(each.dropped_tags),
        ]
        for each in found.tables
    ]
    columns = ["table", "deleted", "anonymized", "kept", "files", "closed versions", "dropped tags"]
    return [
        Fields(
            ("certificate", f"{found.sequence} of {found.lake}"),
            ("request", f"{found.request.id}: {found.request.kind} a {found.request.subject}"),
            ("asked", moment(found.request.asked.replace(microsecond=0))),
            ("due", moment(found.request.due.replace(microsecond=0))),
            ("done", moment(found.request.done.replace(microsecond=0))),
            ("searched", f"{total[0]:,} objects, {size(total[1])}, {total[2]:,} rows"),
            ("found", str(found.search.hits)),
            ("key", f"Ed25519, version {signed.key.version}"),
        ),
        *([Grid(columns, rows)] if rows else ["nothing of this person was in any table"]),
        *(f"stays in {each.table}: {plural(each.rows, 'row')}, {each.ground}" for each in found.kept),
        *(f"not covered: {each.what}" for each in found.not_covered),
    ]


@verb(
    "public-key",
    examples=["lakehouse request public-key --to lake.pem"],
    python="lake.requests.public_key()",
)
@click.option("--to", type=click.Path(dir_okay=False), metavar="FILE", help="Write it there.")
@click.pass_obj
def public_key(session: Session, *, to: str | None) -> None:
    """Show the public key by which others check this lake's certificates (PEM).

    Publish it where nobody can change it unseen: a certificate proves as much as the way the key came.
    """
    pem = session.lake.requests.public_key()
    if to is not None:
        Path(to).write_text(pem)
    session.out.emit({"public_key": pem}, pem.rstrip() if to is None else f"public key: {to}")


@verb(
    "verify-certificate",
    examples=[
        "lakehouse request verify-certificate certificate.json",
        "lakehouse request verify-certificate certificate.json --key lake.pem --previous before.json",
    ],
    python="lake.requests.verify_certificate(document)",
)
@click.argument("file", type=click.Path(dir_okay=False), metavar="FILE")
@click.option(
    "--key",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="The public key (PEM). Without it: this lake's.",
)
@click.option(
    "--previous",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="The certificate before it. Without it: as this lake keeps it.",
)
@click.pass_obj
def verify_certificate(session: Session, *, file: str, key: str | None, previous: str | None) -> int:
    """Check a certificate: form, signature, key, and the one before it.

    With --key no lake is needed: anybody can check it. Exit code 5 if it does not hold.
    """
    from lakehouse.requests.certificate import verify_certificate as check

    document = _read(file)
    before = None if previous is None else _read(previous)
    if key is not None:
        from lakehouse.requests.certificate.signing import public_of_pem

        verdict = check(document, public_key=public_of_pem(_read(key)), previous=before)
    else:
        verdict = _lake(session).requests.verify_certificate(document, previous=before)
    session.out.emit(_verdict(verdict), *_checks(verdict))
    return 0 if verdict.valid else _FOUND_SOMETHING


def _lake(session: Session) -> Lakehouse:
    from lakehouse.errors import UsageError

    try:
        session.config_path()
    except UsageError:
        raise UsageError(
            "there is no lake here with whose key this could be compared",
            advice="give the public key that its owner gave you: --key FILE; or name the lake: -c FILE",
        ) from None
    return session.lake


def _read(path: str) -> bytes:
    from lakehouse.errors import NotFoundError

    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise NotFoundError(f"the file {path} can't be read ({error.strerror})") from None


def _verdict(verdict: Verdict) -> dict[str, object]:
    return {
        "valid": verdict.valid,
        "sequence": verdict.sequence,
        "checks": [
            {"name": each.name, "passed": each.passed, "explanation": each.explanation}
            for each in verdict.checks
        ],
    }


def _checks(verdict: Verdict) -> list[Block]:
    words = {True: "yes", False: "NO", None: "not checked"}
    rows: list[list[Cell]] = [
        [said(each.name), said(words[each.passed]), said(each.explanation)] for each in verdict.checks
    ]
    head = "the certificate holds" if verdict.valid else "the certificate does not hold"
    return [head, Grid(["check", "passed", "found"], rows)]
