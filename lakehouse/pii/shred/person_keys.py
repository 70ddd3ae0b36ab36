"""The keys of many people at once: looked up, made, destroyed. Nothing is kept in memory between two calls.

A key that were remembered here would outlive its destruction in other processes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

from lakehouse.control import Control
from lakehouse.merge.target import Clock
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.shred.people import Hasher, Names
from lakehouse.pii.shred.wrapping import NONCE, Materials, Wrapping
from lakehouse.state.rows import IdentifierDigest, SubjectKey, SubjectKeyCount


class PersonKey(NamedTuple):
    """The key of a person, as cells are encrypted with it.

    Args:
        name: The person's name.
        generation: Which key of the person it is.
        material: The key; None where it was destroyed. Never shown.
    """

    name: str
    generation: int
    material: bytes | None

    def __repr__(self) -> str:
        return f"PersonKey({self.name!r}, {self.generation})"


@dataclass(frozen=True, slots=True)
class PersonKeys:
    """The keys of people in the state database of a lake. Can be used from many threads.

    Args:
        control: The way to the state database.
        ring: Gives the keys of the lake.
        hasher: Hashes identifiers as requests do.
        clock: Gives the time, timezone-aware.
    """

    control: Control
    ring: Callable[[], KeyRing]
    hasher: Hasher
    clock: Clock

    def of_values(
        self, subject: str, identifier: str, values: Collection[str], *, keep: bool = True
    ) -> dict[str, PersonKey]:
        """The keys of people, made where they have none yet.

        Args:
            subject: The kind of person.
            identifier: Its first identifier.
            values: Values of that, each once.
            keep: Whether new keys are kept; otherwise they are good for nothing but counting.

        Returns:
            By value, for all of them. Two ways to write one person's identifier have one key.

        Raises:
            KeysError: A key of the lake is not there.
            StorageError: The state database can't be read or written.
        """
        names = Names(self.ring(), self.hasher)
        versions = names.versions()
        rows: dict[str, SubjectKey] = {}
        called: dict[str, str] = {}
        lacking: Iterable[str] = values
        for version in versions:
            named = names.under(version, subject=subject, identifier=identifier)
            here = {value: named(value) for value in lacking}
            rows |= self._rows(set(here.values()))
            # Who is not found at all has the name under the newest version.
            called = here | called if version == versions[0] else {**called, **_known(here, rows)}
            lacking = [value for value, name in here.items() if name not in rows]
            if not lacking:
                break
        wrapping = Wrapping(self.ring())
        opened = {name: _opened(row, wrapping) for name, row in rows.items()}
        missing = {called[value] for value in lacking}
        opened |= self._made(subject, sorted(missing), wrapping, keep=keep)
        return {value: opened[name] for value, name in called.items()}

    def of_names(self, names: Collection[str]) -> Materials:
        """The keys that cells name; those that nobody knows are missing.

        Args:
            names: Of people, each once.

        Raises:
            KeysError: A key of the lake is not there.
            StorageError: The state database can't be read.
        """
        state = self.control.existing() if names else None
        if state is None:
            return Materials()
        # Closed here also where a key can't be unwrapped: a connection belongs to its thread.
        with closing(state.subject_keys.wrapped(list(names), head=NONCE)) as wrapped:
            return Wrapping(self.ring()).materials(wrapped)

    def destroy(self, digests: Iterable[IdentifierDigest]) -> int:
        """Destroys keys; see `lakehouse.pii.shred.verbs.SubjectKeys.destroy`."""
        names = set(Names(self.ring(), self.hasher).of_digests(digests))
        state = self.control.existing()
        if state is None or not names:
            return 0
        return state.subject_keys.destroy(sorted(names), now=self.clock())

    def readmit(self, digests: Iterable[IdentifierDigest]) -> int:
        """Gives people a key again; see `lakehouse.pii.shred.verbs.SubjectKeys.readmit`."""
        names = set(Names(self.ring(), self.hasher).of_digests(digests))
        gone = [row for row in self._rows(names).values() if row.destroyed]
        if not gone:
            return 0
        wrapping, now = Wrapping(self.ring()), self.clock()
        fresh = [wrapping.made(row.digest, row.subject, generation=row.generation + 1)[0] for row in gone]
        return self.control.made(now=now).subject_keys.renew(fresh, now=now)

    def rewrap(self) -> int:
        """Wraps all keys by the newest version; see `lakehouse.pii.shred.verbs.SubjectKeys.rewrap`."""
        state = self.control.existing()
        if state is None:
            return 0
        wrapping, done = Wrapping(self.ring()), 0
        for some in state.subject_keys.wrapped_otherwise(wrapping.newest):
            done += state.subject_keys.rewrap([(row, wrapping.anew(row)) for row in some])
        state.subject_keys.forget_log()
        return done

    def count(self) -> list[SubjectKeyCount]:
        """How many people of each kind have a key."""
        state = self.control.existing()
        return [] if state is None else state.subject_keys.count()

    def _rows(self, names: Collection[str]) -> dict[str, SubjectKey]:
        state = self.control.existing() if names else None
        return {} if state is None else state.subject_keys.find(list(names))

    def _made(
        self, subject: str, names: list[str], wrapping: Wrapping, *, keep: bool
    ) -> dict[str, PersonKey]:
        """New keys; where somebody else was faster, theirs."""
        made = [wrapping.made(name, subject) for name in names]
        if not made or not keep:
            return {row.digest: PersonKey(row.digest, row.generation, material) for row, material in made}
        now = self.clock()
        self.control.made(now=now).subject_keys.add([row for row, _ in made], now=now)
        # What counts is what is kept: nobody may encrypt with a key that is not.
        return {name: _opened(row, wrapping) for name, row in self._rows(names).items()}


def _known(here: Mapping[str, str], rows: Mapping[str, SubjectKey]) -> dict[str, str]:
    return {value: name for value, name in here.items() if name in rows}


def _opened(row: SubjectKey, wrapping: Wrapping) -> PersonKey:
    return PersonKey(row.digest, row.generation, None if row.destroyed else wrapping.opened(row))
