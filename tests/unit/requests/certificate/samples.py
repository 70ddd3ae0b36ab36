"""Certificates for tests, and a chain that is kept in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lakehouse.errors import ConflictError
from lakehouse.requests.certificate import NOT_COVERED, Content, Signed, issue
from lakehouse.state.rows import CertificateRecord
from tests.unit.pii.rings import Ring

NOW = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
RING = Ring(newest=2, purposes=("sign",))


def content(request: str = "r1", **search: Any) -> Content:
    """What a request's certificate tells."""
    found = {
        "needles": 2,
        "anywhere": 1,
        "searched": ({"kind": "parquet", "objects": 3, "bytes": 1000, "rows": 40, "cells": 400},),
        "hits": 0,
        "part_of_longer": 1,
        "not_searched": ({"what": "people/a.parquet", "reason": "a Bloom filter can't be searched"},),
        "milliseconds": 12,
    }
    return Content.model_validate(
        {
            "request": {
                "id": request,
                "kind": "erase",
                "subject": "customer",
                "identifiers": ({"name": "email", "hash": "ab" * 32, "key_version": 1},),
                "asked": NOW - timedelta(days=9),
                "due": NOW + timedelta(days=21),
                "done": NOW,
            },
            "tables": (
                {
                    "name": "people <b>& co",
                    "version_before": 4,
                    "version_after": 5,
                    "rows": {"deleted": 2, "anonymized": 1, "kept": 1},
                    "files": ({"action": "removed", "path": "people/a", "bytes": 9, "sha256": "cd" * 32},),
                    "closed_versions": (1, 2),
                    "dropped_tags": 1,
                },
            ),
            "search": found | search,
            "kept": ({"table": "invoices", "rows": 3, "ground": 'tax law § 147 <script>"'},),
            "not_covered": NOT_COVERED,
        }
    )


@dataclass
class Chain:
    """`CertificateStore` in a list."""

    records: list[CertificateRecord] = field(default_factory=list)

    def add(self, fresh: Sequence[CertificateRecord]) -> None:
        for each in fresh:
            last = self.last()
            if (each.sequence, each.previous) != (len(self.records) + 1, last.digest if last else None):
                raise ConflictError("not the next")
            self.records.append(each)

    def last(self) -> CertificateRecord | None:
        return self.records[-1] if self.records else None

    def of_requests(self, requests: Sequence[str]) -> dict[str, CertificateRecord]:
        return {each.request: each for each in self.records if each.request in requests}

    def list(self) -> list[CertificateRecord]:
        return self.records


def issued(count: int = 1, *, ring: Ring = RING) -> list[Signed]:
    """The first certificates of a lake."""
    chain = Chain()
    return issue(
        [content(f"r{number}") for number in range(count)], lake="shop", ring=ring, store=chain, now=NOW
    )
