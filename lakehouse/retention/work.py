"""Which rows of which files a plan takes, exactly: what `apply` carries out, and a fingerprint of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pyroaring import BitMap64

from lakehouse.delta import deletion_vectors
from lakehouse.delta.actions import AddFile
from lakehouse.delta.snapshot import Snapshot
from lakehouse.retention.decide import ReadyRule


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleWork:
    """What one rule takes.

    Args:
        ready: The rule.
        whole: Files that go without being opened.
        rows: By number of the file, the positions of the rows that go.
    """

    ready: ReadyRule
    whole: tuple[AddFile, ...] = ()
    rows: Mapping[int, BitMap64] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableWork:
    """What all rules of a table take.

    Args:
        snapshot: The version.
        files: Its files by number.
        rules: By rule.
    """

    snapshot: Snapshot
    files: Sequence[AddFile]
    rules: tuple[RuleWork, ...]

    @property
    def whole(self) -> tuple[AddFile, ...]:
        """All files that go without being opened."""
        return tuple(add for each in self.rules for add in each.whole)

    @property
    def dead(self) -> dict[int, BitMap64]:
        """By number of the file, all rows that leave it."""
        found: dict[int, BitMap64] = {}
        for each in self.rules:
            for number, positions in each.rows.items():
                found[number] = found[number] | positions if number in found else positions
        return found

    def digest(self) -> str:
        """A fingerprint of what is done to which rows.

        It stays the same where other rows come or go, and where nothing of the plan is left it is empty.
        """
        lines = sorted(self._lines())
        return hashlib.sha256(b"\n".join(lines)).hexdigest() if lines else ""

    def _lines(self) -> Iterator[bytes]:
        for each in self.rules:
            rule = each.ready.rule
            head = "\0".join(
                [rule.name, str(rule.action), rule.to or "", *(n.column for n in each.ready.neutral)]
            )
            for add in each.whole:
                yield "\0".join([head, *(part or "" for part in add.key)]).encode()
            for number, positions in each.rows.items():
                place = "\0".join([head, *(part or "" for part in self.files[number].key)]).encode()
                yield (
                    place + b"\0" + hashlib.sha256(deletion_vectors.serialize(positions)).hexdigest().encode()
                )
