"""A table as retention sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lakehouse.config.models import PiiConfig, RetentionRule, TableConfig
from lakehouse.delta.snapshot import Snapshot
from lakehouse.merge.target import Mode
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionTarget:
    """A table that rules are applied to.

    Args:
        name: Its name.
        storage: Its folder.
        config: Its section.
        pii: The lake's section on personal data.
        rules: Its rules for rows, defaults included, in order.
        mode: How rows are taken out of a version's files.
        ring: The keys of the lake, for masks that have one.
        check_archive: Refuses places where no archive can be.
        rewrite_share: A file of which more than this is dead is rewritten even where vectors could mark it.
    """

    name: str
    storage: Storage
    config: TableConfig
    pii: PiiConfig
    rules: tuple[RetentionRule, ...]
    mode: Callable[[Snapshot], Mode]
    check_archive: Callable[[RetentionRule], None]
    ring: KeyRing | None = None
    rewrite_share: float = 0.5
