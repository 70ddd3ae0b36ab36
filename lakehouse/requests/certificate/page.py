"""A certificate as one page that a person can read and print: no scripts, nothing from elsewhere.

Made by hand and escaped by the standard library: a template engine would be a dependency for one page.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from lakehouse.requests.certificate.canonical import digest
from lakehouse.requests.certificate.document import Certificate, Signed, Table, utc
from lakehouse.requests.certificate.signing import as_document, public_pem

_STYLE: Final = """
body { font: 16px/1.5 Georgia, serif; color: #1a1a1a; max-width: 52rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.7rem; margin-bottom: 0 } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem }
p.what { margin-top: .2rem; color: #555 }
table { border-collapse: collapse; width: 100%; font-size: .92rem } caption { text-align: left; color: #555 }
th, td { border-bottom: 1px solid #ccc; padding: .3rem .6rem .3rem 0; text-align: left; vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums }
code, pre { font: .82rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap }
@media print { body { margin: 0; max-width: none; font-size: 11pt } tr, pre { break-inside: avoid } }
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_FILES: Final = (("removed", "taken away"), ("redacted", "emptied of this person"))
_WHAT: Final = {"erase": "erased", "access": "told what is known of them"}


def page(signed: Signed) -> str:
    """The page of a certificate.

    Args:
        signed: The certificate.

    Returns:
        HTML; everything that the certificate says is escaped.
    """
    certificate = signed.certificate
    body = "".join(
        (
            _head(certificate),
            _summary(certificate),
            _request(certificate),
            "".join(_table(each) for each in certificate.tables),
            _search(certificate),
            _kept(certificate),
            _not_covered(certificate),
            _signature(signed),
        )
    )
    title = escape(f"Certificate {certificate.sequence} of {certificate.lake}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>\n{body}</body></html>\n"
    )


def _head(certificate: Certificate) -> str:
    what = _WHAT[certificate.request.kind]
    but = ", but for what has to stay" if certificate.kept else ""
    return (
        f"<h1>Certificate {certificate.sequence}</h1>"
        f'<p class="what">of the lake <b>{escape(certificate.lake)}</b>: '
        f"a {escape(certificate.request.subject)} asked to be {what}, and that was done{but}.</p>"
    )


def _summary(certificate: Certificate) -> str:
    """The same in a few sentences, for who it is about: they know nothing of versions and files."""
    tables = certificate.tables
    rows = [
        f"{_many(sum(getattr(each.rows, name) for each in tables), 'row')} {words}"
        for name, words in (
            ("deleted", "deleted"),
            ("anonymized", "emptied as the lake's rules say"),
        )
        if any(getattr(each.rows, name) for each in tables)
    ]
    files = {
        action: sum(each.action == action for table in tables for each in table.files)
        for action in ("removed", "redacted")
    }
    done = [*rows, *(f"{_many(files[name], 'old file')} {words}" for name, words in _FILES if files[name])]
    lines = [f"<b>Done:</b> {', '.join(done)}." if done else "<b>Done:</b> nothing of this person was here."]
    if certificate.kept:
        kept = "; ".join(
            f"{_many(each.rows, 'row')} of {escape(each.table)} ({escape(each.ground)})"
            for each in certificate.kept
        )
        lines.append(f"<b>Kept:</b> {kept}.")
    objects = sum(each.objects for each in certificate.search.searched)
    missing = len(certificate.search.not_searched)
    but = f", but for {_many(missing, 'thing')} told below," if missing else ""
    hits = certificate.search.hits
    found = "Nothing of this person was found" if not hits else "The person was found"
    except_kept = " but for what the lake's rules leave" if _leaves(certificate) and not hits else ""
    lines.append(
        f"<b>Searched afterwards:</b> all that was left{but} was opened, {_many(objects, 'object')} (files "
        f"and parts of the lake's own database). {found}{except_kept}."
    )
    return f"<h2>In short</h2><ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"


def _leaves(certificate: Certificate) -> bool:
    return bool(certificate.kept) or any(
        each.rows.anonymized or each.rows.kept for each in certificate.tables
    )


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _request(certificate: Certificate) -> str:
    request = certificate.request
    rows = [
        ("Request", escape(request.id)),
        ("Asked", utc(request.asked)),
        ("Due", utc(request.due)),
        ("Done", utc(request.done) + ("" if request.done <= request.due else " (late)")),
        *(
            (f"Identifier {escape(each.name)}", f"<code>{each.hash}</code> (key version {each.key_version})")
            for each in request.identifiers
        ),
    ]
    hashes = (
        "<p>Who it was is not written here. What the person was named by is there as a hash: whoever knows "
        "it, and has the lake's key, can tell that this certificate is theirs. Nobody can read it out of the "
        "hash.</p>"
    )
    return f"<h2>What was asked</h2>{_facts(rows)}{hashes if request.identifiers else ''}"


def _table(table: Table) -> str:
    rows = [
        ("Versions", f"{table.version_before} before, {table.version_after} after"),
        (
            "Rows",
            f"{table.rows.deleted:,} deleted, {table.rows.anonymized:,} anonymized, {table.rows.kept:,} kept",
        ),
    ]
    if table.closed_versions:
        rows.append(
            (
                "Closed versions",
                f"{', '.join(map(str, table.closed_versions))}: nobody can read them any more",
            )
        )
    if table.dropped_tags:
        rows.append(("Dropped tags", f"{table.dropped_tags:,}: names of such versions"))
    files = _grid(
        ("File", "Done", "Bytes", "SHA-256"),
        (
            (
                f"<code>{escape(each.path)}</code>",
                each.action,
                f"{each.bytes:,}",
                f"<code>{each.sha256}</code>",
            )
            for each in table.files
        ),
        numbers=(2,),
    )
    return f"<h2>Table {escape(table.name)}</h2>{_facts(rows)}{files if table.files else ''}"


def _search(certificate: Certificate) -> str:
    found = certificate.search
    grid = _grid(
        ("What", "Objects", "Bytes", "Rows", "Values"),
        (
            (escape(each.kind), f"{each.objects:,}", f"{each.bytes:,}", f"{each.rows:,}", f"{each.cells:,}")
            for each in found.searched
        ),
        numbers=(1, 2, 3, 4),
    )
    hits = "Nothing was found" if not found.hits else f"The person was found {found.hits:,} times"
    missing = _grid(
        ("Not searched", "Why"), ((escape(each.what), escape(each.reason)) for each in found.not_searched)
    )
    scope = (
        "Everything that remained"
        if not found.not_searched
        else "What remained, but for what is named below,"
    )
    kept = (
        " What the lake's rules leave is no find: rows that stay on a ground, and the columns of anonymized "
        "rows that are not emptied, such as a number."
        if _leaves(certificate)
        else ""
    )
    longer = (
        f" {found.part_of_longer:,} times one of those that were searched for together was part of a longer "
        "word or number, and so another's."
        if found.part_of_longer
        else ""
    )
    return (
        "<h2>What was searched afterwards</h2>"
        f"<p>{scope} was opened and searched for {_many(found.needles, 'identifier')} of this person: "
        f"{found.anywhere} in every text, the others, which are short, in the columns that hold such values. "
        f"<b>{hits}.</b>{kept}{longer}</p>"
        f"{grid}{missing if found.not_searched else ''}"
    )


def _kept(certificate: Certificate) -> str:
    if not certificate.kept:
        return ""
    grid = _grid(
        ("Table", "Rows", "Ground"),
        ((escape(each.table), f"{each.rows:,}", escape(each.ground)) for each in certificate.kept),
        numbers=(1,),
    )
    return f"<h2>What stays, and why</h2>{grid}"


def _not_covered(certificate: Certificate) -> str:
    items = "".join(
        f"<li><b>{escape(each.what)}</b>: {escape(each.reason)}</li>" for each in certificate.not_covered
    )
    return f"<h2>What this does not cover</h2><ul>{items}</ul>" if items else ""


def _signature(signed: Signed) -> str:
    certificate = signed.certificate
    previous = f"<code>{certificate.previous}</code>" if certificate.previous else "none: this is the first"
    rows = [
        ("Signed", f"{utc(certificate.issued)} by {escape(certificate.software)}"),
        ("Key", f"version {signed.key.version}, {signed.key.algorithm}"),
        ("Signature", f"<code>{escape(signed.signature)}</code>"),
        ("The one before", previous),
        ("This one's SHA-256", f"<code>{digest(as_document(signed))}</code>"),
    ]
    pem = escape(public_pem(base64.b64decode(signed.key.public)))
    return (
        f"<h2>How it is sealed</h2>{_facts(rows)}<pre>{pem}</pre>"
        "<p>This page is made from the certificate's JSON, and only that is signed.</p>"
    )


def _facts(rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
    return f"<table>{lines}</table>"


def _grid(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()) -> str:
    head = "".join(f"<th>{name}</th>" for name in heads)
    lines = "".join(
        "<tr>"
        + "".join(
            f'<td class="number">{cell}</td>' if at in numbers else f"<td>{cell}</td>"
            for at, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{lines}</table>"
