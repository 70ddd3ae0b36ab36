"""What the rest of the house asks of the state database: small interfaces, one for each thing it keeps."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from lakehouse.state.rows import ActionRecord, CertificateRecord, Hold, PlanRecord, ScanRecord, WrappedKey


class HoldStore(Protocol):
    """The holds."""

    def place(self, hold: Hold) -> Hold:
        """Keeps a new hold.

        Args:
            hold: With an empty ``id``; it gets one.

        Returns:
            The same with its id.
        """

    def release(self, hold_id: str, *, author: str, now: datetime, reason: str = "") -> Hold:
        """Ends a hold, and forgets its condition and identifiers.

        Args:
            hold_id: Which.
            author: Who ends it.
            now: When (timezone-aware).
            reason: Why.

        Returns:
            The hold as it is now.

        Raises:
            NotFoundError: There is none of that id.
            RefusedError: It was released before.
        """

    def get(self, hold_id: str) -> Hold:
        """One hold.

        Raises:
            NotFoundError: There is none of that id.
        """

    def list(self) -> builtins.list[Hold]:
        """All holds that were ever placed, in the order in which that happened."""

    def standing(self) -> builtins.list[Hold]:
        """Those that were not released, in that order; the end of some may have passed."""


class PlanStore(Protocol):
    """The plans."""

    def add(
        self,
        *,
        kind: str,
        author: str,
        versions: Mapping[str, int],
        digest: str,
        document: Mapping[str, Any],
        now: datetime,
    ) -> PlanRecord:
        """Keeps a plan; see `PlanRecord`.

        Args:
            kind: What for.
            author: Who made it.
            versions: For each table the version that it was made on.
            digest: Of all that it would do.
            document: The plan.
            now: When it was made (timezone-aware).

        Returns:
            The plan with its id.
        """

    def get(self, plan_id: str) -> PlanRecord:
        """One plan.

        Raises:
            NotFoundError: There is none of that id.
        """

    def list(self, *, kind: str | None = None, limit: int | None = None) -> builtins.list[PlanRecord]:
        """The plans, newest first.

        Args:
            kind: Only those of one kind.
            limit: At most so many.
        """


class RecordStore(Protocol):
    """What was done."""

    def add(self, records: Sequence[ActionRecord]) -> None:
        """Keeps what was done, all of it or nothing.

        Args:
            records: In the order in which it was done.
        """

    def list(
        self,
        *,
        table: str | None = None,
        plan: str | None = None,
        kind: str | None = None,
        limit: int | None = None,
    ) -> builtins.list[ActionRecord]:
        """What was done, newest first.

        Args:
            table: Only to one table.
            plan: Only by one plan.
            kind: Only by one verb.
            limit: At most so many.
        """


class KeyStore(Protocol):
    """The wrapped keys."""

    def add(self, key: WrappedKey) -> None:
        """Keeps a version of a key. Of several that add the same version at once, one does.

        Args:
            key: The wrapped key.

        Raises:
            ConflictError: There is that version of that key already; it stays as it is.
        """

    def list(self, *, purpose: str | None = None) -> builtins.list[WrappedKey]:
        """The versions of the keys, by purpose and version.

        Args:
            purpose: Only those of one key.
        """


class ScanStore(Protocol):
    """Where personal data was found."""

    def add(self, scans: Sequence[ScanRecord]) -> None:
        """Keeps what scans found, all of it or nothing.

        Args:
            scans: One for each table.
        """

    def list(self, *, table: str | None = None, limit: int | None = None) -> builtins.list[ScanRecord]:
        """What was found, newest first.

        Args:
            table: Only in one table.
            limit: At most so many.
        """


class CertificateStore(Protocol):
    """The certificates: a chain without gaps or forks."""

    def add(self, certificate: CertificateRecord) -> None:
        """Keeps a certificate, as the next one. Of several that add at once, one does.

        Args:
            certificate: Its number is the next, and its ``previous`` the digest of the newest.

        Raises:
            ConflictError: It is not the next any more, or the request has one.
        """

    def last(self) -> CertificateRecord | None:
        """The newest; None where there is none."""

    def of_request(self, request: str) -> CertificateRecord | None:
        """That of one request; None where it has none.

        Args:
            request: The request.
        """

    def list(self) -> builtins.list[CertificateRecord]:
        """All of them, from the first."""
