"""``lake.pii``: personal data, for all tables of a lake."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import overload

from lakehouse.config.models import Config
from lakehouse.errors import NotBuiltError, UsageError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.mask.copies import MaskedCopies
from lakehouse.pii.mask.copy_plan import CopyResult
from lakehouse.pii.mask.in_place import mask_in_place
from lakehouse.pii.mask.in_place_plan import InPlacePlan
from lakehouse.pii.mask.source import ConfigMasks
from lakehouse.pii.spans import SpanFinder
from lakehouse.storage import Storage
from lakehouse.table import Table


def _no_finder() -> SpanFinder:
    raise NotBuiltError(
        "texts can't be searched for personal data by this release",
        advice="give columns one entity each, or `text: false`, to mask their values as a whole",
    )


class Pii:
    """Personal data in a lake. Reached as `Lakehouse.pii`; can be used from many threads.

    Args:
        config: The lake's config.
        lake: The lake's root.
        table: Gives a table by its name.
        copy: Gives the table that is, or is to be, a masked copy: its name, and the source's.
        ring: Gives the keys of the lake; asked only where a mask has one.
        finder: Gives what finds personal data in texts; called only where texts are searched.
    """

    def __init__(
        self,
        *,
        config: Config,
        lake: Storage,
        table: Callable[[str], Table],
        copy: Callable[[str, str], Table],
        ring: Callable[[], KeyRing],
        finder: Callable[[], SpanFinder] = _no_finder,
    ) -> None:
        self._config = config
        self._table = table
        self._masks = ConfigMasks(config, ring, finder)
        self._copies = partial(MaskedCopies, config, lake=lake, table=table, copy=copy, masks=self._masks)

    @property
    def copies(self) -> MaskedCopies:
        """The masked copies: how they stand, dropping one."""
        return self._copies()

    @overload
    def mask(self, table: str, *, to: str, anew: bool = False, dry_run: bool = False) -> CopyResult: ...

    @overload
    def mask(
        self, table: str, *, in_place: bool, dry_run: bool = False, plan: InPlacePlan | None = None
    ) -> InPlacePlan: ...

    def mask(
        self,
        table: str,
        *,
        to: str | None = None,
        in_place: bool = False,
        anew: bool = False,
        dry_run: bool = False,
        plan: InPlacePlan | None = None,
    ) -> CopyResult | InPlacePlan:
        """Masks the columns of `pii` of a table: in a copy that follows it, or in the table itself.

        Args:
            table: The table.
            to: The copy's name: it is made, or brought up to date with what changed since.
            in_place: Masks the rows of the table's newest version for good, in one commit. Older versions,
                the quarantine and archives still hold clear values; the plan says what ends that.
            anew: With ``to``: copies all rows in any case.
            dry_run: Only plans.
            plan: With ``in_place``: a plan that was looked at; nothing is done that is not in it.

        Returns:
            What was done, or would be.

        Raises:
            UsageError: Neither or both of ``to`` and ``in_place``.
            RefusedError: A column can't be masked so, a name is taken, rows would break the table's rules.
            ProtectedError: Rows are held that would be masked.
            ConflictError: Others were faster in all tries, or the table is not as the plan says.
            KeysError: A key is not there.
        """
        if (to is None) == (not in_place):
            raise UsageError(
                "mask needs to know where", advice="give the name of a copy (to=), or in_place=True"
            )
        if to is not None:
            if plan is not None:
                raise UsageError("a plan is for masks in place", advice="leave `plan` out")
            return self.copies.run(table, to, anew=anew, dry_run=dry_run)
        if anew:
            raise UsageError("anew is for copies", advice="leave it out")
        found = self._table(table)
        return mask_in_place(found.opened, config=self._config, masks=self._masks, plan=plan, dry_run=dry_run)
