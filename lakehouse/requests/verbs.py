"""``lake.requests``, for the users of a lake: what people ask for, taken, decided, carried out, answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.config.shredding import subjects_with_keys
from lakehouse.protection.given import LONGEST_REASON, ensure_plain, text_of
from lakehouse.requests.deciding import Deciding
from lakehouse.requests.drafts import draft_of
from lakehouse.requests.proving import Proving
from lakehouse.requests.run import RunReport, run
from lakehouse.requests.run.target import Step, silent
from lakehouse.requests.submitting import Submitting
from lakehouse.requests.suppression.readmitting import readmit

if TYPE_CHECKING:
    from lakehouse.requests.access import Bundle, Identified


class Requests(Submitting, Deciding, Proving):
    """The requests of a lake. Reached as `Lakehouse.requests`; can be used from many threads.

    A request says who it is about by identifiers. These are kept encrypted until it is done, and from then on
    as keyed hashes alone. What happened to it is only ever added to, and its status follows from that.

    Args:
        config: The lake's config.
        control: The way to the state database.
        ring: Gives the keys of the lake.
        protection: Gives the active holds on a table.
        target: Gives what a run is told about the lake: of a state database, on whose order.
        answering: Gives what answers requests for access.
        keys: The keys of people under which columns are stored.
        shape: Gives what a table looks like; None where nothing is known of it.
        copies: Gives the masked copies, and the tables that they are made from.
        clock: Gives the time, timezone-aware.
    """

    def __repr__(self) -> str:
        return f"Requests({self._config.name!r})"

    def run(
        self,
        *requests: str,
        dry_run: bool = False,
        allow_many: bool = False,
        author: str | None = None,
        step: Step = silent,
    ) -> RunReport:
        """Carries requests out: finds, erases, purges, verifies, and signs what was done.

        All people are looked for in one pass over each table, and erased in one commit. The next run goes on
        where one was killed.

        Args:
            requests: Their ids; none means all that can be carried out now.
            dry_run: Only looks, and says what would be done.
            allow_many: Also carries out requests that find more than one person can have
                (``requests.max_share``, ``requests.max_values``); without it they are set aside.
            author: On whose order; None means the user that this process runs as.
            step: Told how far it is.

        Returns:
            What was planned, what became of each request, what was done to tables, what was searched.

        Raises:
            NotFoundError: There is no request of that id.
            KeysError: A key is not there: nothing was done.
            RefusedError: A table can't be erased from as the config says, or all that is to be done finds
                more than one person can have: nothing was done.
            ConflictError: Another run carries the same requests out.
            StorageError: The store or the state database failed; the next run goes on.
        """
        state = self._control.existing()
        if state is None:
            for each in requests:
                raise self._none_of(each)
            return RunReport(dry_run=dry_run)
        target = replace(self._target(state, self._who(author)), step=step)
        return run(target, only=requests or None, dry_run=dry_run, allow_many=allow_many)

    def answer(
        self,
        request_id: str,
        *,
        to: str | Path,
        include_history: bool = True,
        identified: Identified = "checked",
        own: Sequence[str] = (),
        others: Sequence[str] = (),
        overwrite: bool = False,
        author: str | None = None,
    ) -> Bundle:
        """Answers a request for access: writes everything about the person into one ZIP file.

        Other people's values are masked. Values of the person that are stored masked are turned back as far
        as the keys are there, and that is recorded. The request is completed by it, and forgets who it is
        about.

        Args:
            request_id: Which.
            to: A file that ends in ``.zip``, or a folder; outside of the lake. Only this user can read it.
            include_history: Whether also rows that are only in older files of a table.
            identified: By which identifiers the person is known. ``checked``: those of the request and those
                that stand beside them in rows, unless these can be of several people; ``all``: in any case;
                ``given``: only those of the request.
            own: Columns of `pii`, as ``table.column``, of which all is the person's, whatever is in them.
            others: Columns of `pii` of which only is the person's what is known to be.
            overwrite: Whether a file that is there may go.
            author: Who answers it; None means the user that this process runs as.

        Returns:
            The file, its digest, and what of which table is in it.

        Raises:
            NotFoundError: There is no such request, folder or column.
            RefusedError: It is done, not approved, or can be of several people; or the file is there.
            UsageError: It asks for something else, or a column can't be masked as the config says.
            KeysError: A key is not there.
            StorageError: The file can't be written.
        """
        return self._answering().answer(
            request_id,
            to=to,
            author=self._who(author),
            include_history=include_history,
            identified=identified,
            own=own,
            others=others,
            overwrite=overwrite,
        )

    def readmit(
        self,
        subject: str,
        *,
        identifiers: Mapping[str, str | int | Sequence[str | int]] | None = None,
        reason: str,
        author: str | None = None,
        **more: str | int,
    ) -> int:
        """Lets a person come back who was erased, as after a new consent.

        Args:
            subject: The kind of person.
            identifiers: What the person is known by.
            reason: Why. No personal data.
            author: Who decides.
            more: Further identifiers.

        Returns:
            How many identifiers may come back.

        Raises:
            NotFoundError: None of them is suppressed.
            UsageError: Something can't be used.
        """
        why = ensure_plain(text_of(reason, "the reason"), what="the reason", longest=LONGEST_REASON)
        draft = draft_of(
            self._config, kind="erasure", subject=subject, identifiers={**(identifiers or {}), **more}
        )
        found = readmit(
            self._control.existing(),
            self._typed()(draft.person),
            ring=self._ring(),
            now=self._clock(),
            author=self._who(author),
            reason=why,
        )
        if subject in subjects_with_keys(self._config):
            self._keys.readmit(subject, found)
        return len({each.digest for each in found})
