"""The certificates in the database."""

from __future__ import annotations

import builtins
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from lakehouse.errors import ConflictError
from lakehouse.state.rows import CertificateRecord
from lakehouse.state.tables import certificates
from lakehouse.state.transactions import Transactions


class SqlCertificates:
    """The certificates, in a database: a chain without gaps or forks.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def add(self, certificate: CertificateRecord) -> None:
        """Keeps a certificate, as the next one. Of several that add at once, one does.

        Args:
            certificate: Its number is the next, and its ``previous`` the digest of the newest.

        Raises:
            ConflictError: It is not the next any more, or the request has one.
        """
        values = {
            "seq": certificate.sequence,
            "previous": certificate.previous or "",
            "digest": certificate.digest,
            "request_id": certificate.request,
            "at": certificate.at,
            "document": certificate.document,
        }
        with self._database.writing() as connection:
            newest = connection.execute(
                select(certificates.c.seq, certificates.c.digest).order_by(certificates.c.seq.desc()).limit(1)
            ).first()
            expected = (newest.seq + 1, newest.digest) if newest else (1, "")
            insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            # Of two that read the same newest one, the unique columns let one in.
            kept = insert(certificates).values(values).on_conflict_do_nothing().returning(certificates.c.seq)
            if (values["seq"], values["previous"]) != expected or connection.execute(kept).first() is None:
                raise ConflictError(
                    f"certificate {certificate.sequence} is not the next one of the lake",
                    advice="another process was faster: sign it anew, after the newest one",
                )

    def last(self) -> CertificateRecord | None:
        """The newest; None where there is none."""
        found = self._read(select(certificates).order_by(certificates.c.seq.desc()).limit(1))
        return found[0] if found else None

    def of_request(self, request: str) -> CertificateRecord | None:
        """That of one request; None where it has none.

        Args:
            request: The request.
        """
        found = self._read(select(certificates).where(certificates.c.request_id == request))
        return found[0] if found else None

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
