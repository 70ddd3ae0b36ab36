"""Gives certificates their place in the lake's chain, and keeps them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from importlib import metadata as packages
from typing import Final, Protocol

from lakehouse.errors import ConflictError, RefusedError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.requests.certificate.document import (
    Certificate,
    Content,
    Missing,
    Search,
    SearchedKind,
    Signed,
)
from lakehouse.requests.certificate.signing import PURPOSE, Signer
from lakehouse.requests.search.report import Searched, SearchReport
from lakehouse.state.rows import CertificateRecord

_TRIES: Final = 50


class Chain(Protocol):
    """Where certificates are kept: without gaps or forks. `lakehouse.state.certificates.SqlCertificates`."""

    def add(self, fresh: Sequence[CertificateRecord], /) -> None:
        """Keeps the next ones, or none; raises `ConflictError` where they are not the next any more."""

    def last(self) -> CertificateRecord | None:
        """The newest; None where there is none."""

    def of_requests(self, requests: Sequence[str], /) -> Mapping[str, CertificateRecord]:
        """Those of some requests; without those that have none."""


def issue(
    contents: Sequence[Content], *, lake: str, ring: KeyRing, store: Chain, now: datetime
) -> list[Signed]:
    """Signs what was done, as the next certificates of the lake. A request has one certificate at most.

    Of several processes that issue at once each gets its own numbers.

    Args:
        contents: What each tells.
        lake: The lake's name.
        ring: The lake's keys; `sign` is used.
        store: Where certificates are kept.
        now: The time (timezone-aware).

    Returns:
        The certificates, in order; that which a request has already, if it does.

    Raises:
        RefusedError: A person was found.
        KeysError: The lake has no key to sign with.
        ConflictError: Others issue all the time.
    """
    for content in contents:
        if content.search.hits:
            raise RefusedError(
                f"request {content.request.id} gets no certificate: the person was found "
                f"{content.search.hits} times",
                advice="see where, take that away, and verify again",
            )
    sign = Signer(ring.current(PURPOSE))
    software = f"lakehouse {packages.version('lakehouse')}"
    for _ in range(_TRIES):
        known = store.of_requests([content.request.id for content in contents])
        issued = {request: Signed.model_validate_json(each.document) for request, each in known.items()}
        last, fresh = store.last(), list[CertificateRecord]()
        for content in contents:
            if content.request.id not in issued:
                before = fresh[-1] if fresh else last
                signed, document = sign(_next(content, before, lake=lake, now=now, software=software))
                fresh.append(_record(signed, document, now=now))
                issued[content.request.id] = signed
        try:
            if fresh:
                store.add(fresh)
        except ConflictError:
            continue
        return [issued[content.request.id] for content in contents]
    raise ConflictError("others issue certificates all the time", advice="run it again")


def _next(
    content: Content, before: CertificateRecord | None, *, lake: str, now: datetime, software: str
) -> Certificate:
    return Certificate.model_validate(
        {
            **dict(content),
            "lake": lake,
            "sequence": before.sequence + 1 if before else 1,
            "previous": before.digest if before else None,
            "issued": now,
            "software": software,
        }
    )


def search_part(reports: SearchReport, *, request: str, needles: int, anywhere: int) -> Search:
    """What a search says about one request, of all that it looked for.

    Args:
        reports: What was searched and found.
        request: The request.
        needles: How many needles it had.
        anywhere: How many of them were looked for in every text.
    """
    return Search(
        needles=needles,
        anywhere=anywhere,
        searched=_kinds(reports.searched),
        hits=sum(hit.count for hit in reports.hits if hit.request == request),
        part_of_longer=reports.inside,
        not_searched=_missing(reports),
        milliseconds=round(reports.seconds * 1000),
    )


@lru_cache(maxsize=8)
def _kinds(searched: tuple[Searched, ...]) -> tuple[SearchedKind, ...]:
    """The same for all requests of a search."""
    return tuple(
        SearchedKind(kind=each.kind, objects=each.objects, bytes=each.bytes, rows=each.rows, cells=each.cells)
        for each in searched
    )


def _missing(reports: SearchReport) -> tuple[Missing, ...]:
    return tuple(Missing(what=each.path or "the lake", reason=each.reason) for each in reports.not_searched)


def _record(signed: Signed, document: bytes, *, now: datetime) -> CertificateRecord:
    certificate = signed.certificate
    return CertificateRecord(
        sequence=certificate.sequence,
        previous=certificate.previous,
        digest=hashlib.sha256(document).hexdigest(),
        request=certificate.request.id,
        at=now,
        document=document.decode(),
    )
