"""``lake.subject_keys``: the keys of single people: counted, destroyed, given again, wrapped anew."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterable
from typing import Final

import polars as pl

from lakehouse.config import Config
from lakehouse.config.shredding import identifier_of
from lakehouse.errors import NotFoundError
from lakehouse.pii.shred.cells import opened
from lakehouse.pii.shred.people import SUPPRESS, Names
from lakehouse.pii.shred.person_keys import PersonKeys
from lakehouse.records import Records, operator
from lakehouse.state.rows import ActionRecord, IdentifierDigest, SubjectKeyCount

KIND: Final = "subject_keys"
"""What records of keys of people are called in the state database."""


class SubjectKeys:
    """The keys of people. Reached as `Lakehouse.subject_keys`; can be used from many threads.

    Columns with ``shred`` in the config are stored under a key of each person. A merge makes a key for people
    who have none, reads look it up, and who destroys it makes all cells of the person unreadable at once: in
    every version, archive and backup of the tables. The keys lie in the state database, wrapped by the lake's
    key of the purpose ``shred``.

    Args:
        config: The lake's config.
        keys: The keys in its state database.
        records: Keeps what was done.
    """

    def __init__(self, config: Config, *, keys: PersonKeys, records: Records) -> None:
        self._config = config
        self._keys = keys
        self._records = records

    def __repr__(self) -> str:
        return "SubjectKeys()"

    def count(self) -> builtins.list[SubjectKeyCount]:
        """How many people of each kind have a key, and of how many it was destroyed.

        Raises:
            StorageError: The state database can't be read.
        """
        return self._keys.count()

    def digests_of(self, subject: str, values: Collection[str]) -> tuple[IdentifierDigest, ...]:
        """What names people, under every version of the key ``suppress``: a key can have been made under any.

        Args:
            subject: The kind of person.
            values: Values of the subject's first identifier.

        Raises:
            NotFoundError: There is no such subject.
            KeysError: The key is not there.
        """
        identifier, ring = self._identifier(subject), self._keys.ring()
        found: builtins.list[IdentifierDigest] = []
        for version in Names(ring, self._keys.hasher).versions():
            key = ring.version(SUPPRESS, version)
            digest = self._keys.hasher(key, subject=subject, identifier=identifier)
            found += [
                IdentifierDigest(identifier=identifier, key_version=version, digest=digest(value))
                for value in values
            ]
        return tuple(found)

    def destroy(self, subject: str, digests: Iterable[IdentifierDigest]) -> int:
        """Destroys the keys of people: from now on nobody reads their cells, in no version and no copy.

        A merge that brings them again stores nothing in their shredded columns.

        Args:
            subject: The kind of person.
            digests: As `digests_of` gives them, or as requests remember them; of other identifiers than the
                subject's first they are passed over.

        Returns:
            How many keys were destroyed. Again with the same people it is none.

        Raises:
            NotFoundError: There is no such subject.
            KeysError: The key ``suppress`` is not there.
            StorageError: The state database can't be written.
        """
        identifier = self._identifier(subject)
        gone = self._keys.destroy(each for each in digests if each.identifier == identifier)
        self._note("destroy", subject, gone)
        return gone

    def readmit(self, subject: str, digests: Iterable[IdentifierDigest]) -> int:
        """Gives people a new key whose key was destroyed. What was stored under the old one stays unreadable.

        Args:
            subject: The kind of person.
            digests: As for `destroy`.

        Returns:
            How many have one again.

        Raises:
            NotFoundError: There is no such subject.
            KeysError: A key of the lake is not there.
            StorageError: The state database can't be written.
        """
        identifier = self._identifier(subject)
        back = self._keys.readmit(each for each in digests if each.identifier == identifier)
        self._note("readmit", subject, back)
        return back

    def clear(self, table: str, cells: pl.Series) -> pl.Series:
        """Opens the cells of a column, for those who may read the table as it is.

        Args:
            table: The table.
            cells: Cells as they are stored, under the column's name; what is none stays as it is.

        Returns:
            As many texts; null where the key was destroyed.

        Raises:
            KeysError: A key is not there that nobody destroyed, or a cell is of another column.
            StorageError: The state database can't be read.
        """
        return opened([cells], self._keys.of_names, table=table)[0]

    def rewrap(self) -> int:
        """Wraps the keys of people by the newest version of the key ``shred``; cells stay as they are.

        After it no key needs an older version: once that is gone, older backups of the state database open
        nothing. It can be stopped and run again.

        Returns:
            How many were wrapped anew.

        Raises:
            KeysError: A version of the key is not there.
            StorageError: The state database can't be written.
        """
        done = self._keys.rewrap()
        self._note("rewrap", "", done)
        return done

    def _identifier(self, subject: str) -> str:
        if subject not in self._config.subjects:
            raise NotFoundError(
                f"lake {self._config.name} has no subject {subject}",
                advice=f"its subjects are: {', '.join(self._config.subjects) or 'none'}",
            )
        return identifier_of(self._config, subject)

    def _note(self, action: str, subject: str, keys: int) -> None:
        if keys:
            detail = {"subject": subject, "keys": keys}
            self._records.add(
                [
                    ActionRecord(
                        kind=KIND,
                        action=action,
                        table="",
                        at=self._keys.clock(),
                        author=operator(),
                        detail=detail,
                    )
                ]
            )
