"""The certificates in the database."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from lakehouse.errors import ConflictError
from lakehouse.state.rows import CertificateRecord
from lakehouse.state.tables import certificates
from lakehouse.state.transactions import Transactions

_PART: Final = 500
"""So many values go into one query: databases limit how many it can have."""


class SqlCertificates:
    """The certificates, in a database: a chain without gaps or forks.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def add(self, fresh: Sequence[CertificateRecord]) -> None:
        """Keeps certificates, as the next ones, all of them or none. Of several that add at once, one does.

        Args:
            fresh: In order: the first one's number is the next, and ``previous`` the newest's digest.

        Raises:
            ConflictError: They are not the next any more, or a request has one.
        """
        with self._database.writing() as connection:
            newest = connection.execute(
                select(certificates.c.seq, certificates.c.digest).order_by(certificates.c.seq.desc()).limit(1)
            ).first()
            expected = (newest.seq + 1, newest.digest) if newest else (1, "")
            insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            for each in fresh:
                if (each.sequence, each.previous or "") != expected:
                    raise _not_next(each)
                expected = (each.sequence + 1, each.digest)
            kept = insert(certificates).on_conflict_do_nothing().returning(certificates.c.seq)
            found = {row.seq for row in connection.execute(kept, [_values(each) for each in fresh])}
            # Of two that read the same newest one, the unique columns let one in.
            for each in fresh:
                if each.sequence not in found:
                    raise _not_next(each)

    def last(self) -> CertificateRecord | None:
        """The newest; None where there is none."""
        found = self._read(select(certificates).order_by(certificates.c.seq.desc()).limit(1))
        return found[0] if found else None

    def of_requests(self, requests: Sequence[str]) -> dict[str, CertificateRecord]:
        """Those of some requests.

        Args:
            requests: The requests.

        Returns:
            By request; those without one are left out.
        """
        found: dict[str, CertificateRecord] = {}
        for at in range(0, len(requests), _PART):
            part = requests[at : at + _PART]
            rows = self._read(select(certificates).where(certificates.c.request_id.in_(part)))
            found |= {each.request: each for each in rows}
        return found

    def numbers(self, *, since: datetime, until: datetime) -> tuple[int, ...]:
        """The numbers of those that were signed in a window.

        Args:
            since: Its start, in it.
            until: Its end, in it too.
        """
        at = certificates.c.at
        query = select(certificates.c.seq).where(at >= since, at <= until).order_by(certificates.c.seq)
        with self._database.reading() as connection:
            return tuple(connection.execute(query).scalars())

    def list(self) -> builtins.list[CertificateRecord]:
        """All of them, from the first."""
        return self._read(select(certificates).order_by(certificates.c.seq))

    def _read(self, query: Any) -> builtins.list[CertificateRecord]:
        with self._database.reading() as connection:
            return [
                CertificateRecord(
                    sequence=row.seq,
                    previous=row.previous or None,
                    digest=row.digest,
                    request=row.request_id,
                    at=row.at,
                    document=row.document,
                )
                for row in connection.execute(query)
            ]


def _values(certificate: CertificateRecord) -> dict[str, Any]:
    return {
        "seq": certificate.sequence,
        "previous": certificate.previous or "",
        "digest": certificate.digest,
        "request_id": certificate.request,
        "at": certificate.at,
        "document": certificate.document,
    }


def _not_next(certificate: CertificateRecord) -> ConflictError:
    return ConflictError(
        f"certificate {certificate.sequence} is not the next one of the lake",
        advice="another process was faster: sign it anew, after the newest one",
    )
