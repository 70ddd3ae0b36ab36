"""``lake.keys``: the keys of a lake, for its users (create, list, rotate) and for what masks with them."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from lakehouse.config import Config
from lakehouse.control import Control
from lakehouse.errors import ConflictError, KeysError, LakehouseError, RefusedError, UsageError
from lakehouse.merge.target import Clock, utc_now
from lakehouse.pii.keys.env import EnvKeys, Variable
from lakehouse.pii.keys.opening import open_provider
from lakehouse.pii.keys.provider import KeyInfo, KeyProvider
from lakehouse.pii.keys.purposes import purpose_of
from lakehouse.pii.keys.ring import Key
from lakehouse.records import Records, StateRecords, operator
from lakehouse.state.rows import ActionRecord

KIND: Final = "keys"
"""What records of keys are called in the state database."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation would do.

    Args:
        purpose: Which key.
        newest: The newest version that there is.
        next: The version that would be made. Numbers of lost versions are not given again.
    """

    purpose: str
    newest: int
    next: int


class Keys:
    """The keys of a lake. Reached as `Lakehouse.keys`; can be used from many threads, and pickled.

    A key has a purpose and versions. New values are masked with the newest version; older versions stay, so
    that what was masked with them can still be turned back. Nothing makes a key by itself: a key that came
    into being unnoticed on two hosts would be two keys. Unwrapped keys are kept in memory alone, and are part
    of no text form and no pickle.

    Args:
        config: The lake's config.
        control: The way to its state database.
        clock: Gives the time, timezone-aware.
        provider: Keeps the keys; None means the one that the config names.
        records: Where it is kept what was done; None means the state database.
    """

    def __init__(
        self,
        config: Config,
        *,
        control: Control,
        clock: Clock = utc_now,
        provider: KeyProvider | None = None,
        records: Records | None = None,
    ) -> None:
        self._config = config
        self._control = control
        self._clock = clock
        self._provider = provider or open_provider(config, control=control)
        self._records = records or StateRecords(control)
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], Key] = {}
        self._seen: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"Keys({self._provider.name!r})"

    def __reduce__(self) -> tuple[partial[Keys], tuple[()]]:
        # Another process asks the provider itself: unwrapped keys don't travel.
        return partial(
            Keys,
            self._config,
            control=self._control,
            clock=self._clock,
            provider=self._provider,
            records=self._records,
        ), ()

    @property
    def provider(self) -> str:
        """Who keeps them: ``file``, ``env``, ``aws_kms`` or ``vault``."""
        return self._provider.name

    def current(self, purpose: str) -> Key:
        """The newest version of a key: what new values are masked with.

        Args:
            purpose: What it is for, as ``mask``.

        Raises:
            KeysError: There is no such key, or it can't be used.
        """
        name = purpose_of(purpose)
        there = self._provider.versions(name)
        if not there:
            raise self._none_of(name)
        newest = self._newest(name, there[-1])
        if newest not in there:
            # The one before could be one that others know: that is why keys are rotated.
            raise KeysError(
                f"version {newest} of the key `{name}` is lost, the newest: nothing is masked with an older",
                advice=f"{self._lost(name, newest)}; or `lakehouse keys rotate {name}`",
            )
        return self._loaded(name, newest)

    def version(self, purpose: str, version: int) -> Key:
        """One version of a key: what older values were masked with.

        Args:
            purpose: What it is for.
            version: Which, from 1.

        Raises:
            KeysError: That version is not there, or can't be used.
        """
        name = purpose_of(purpose)
        known = self._known.get((name, version))
        if known is not None:
            return known
        there = self._provider.versions(name)
        if not there:
            raise self._none_of(name, wanted=version)
        if version not in there:
            if not self._ever(name, version):
                raise KeysError(
                    f"no version {version} of the key `{name}` was ever made, as far as is known",
                    advice=f"there {'is' if len(there) == 1 else 'are'}: {', '.join(map(str, there))}",
                )
            raise KeysError(
                f"version {version} of the key `{name}` is lost: what was masked with it stays masked",
                advice=f"{self._lost(name, version)}; there {'is' if len(there) == 1 else 'are'}: "
                f"{', '.join(map(str, there))}",
            )
        return self._loaded(name, version)

    def versions(self, purpose: str) -> tuple[int, ...]:
        """The versions that there are, oldest first; none for a key that was not created.

        Args:
            purpose: What it is for.

        Raises:
            KeysError: The keys can't be reached, or lie where others can read them.
        """
        return self._provider.versions(purpose_of(purpose))

    def list(self) -> builtins.list[KeyInfo]:
        """All keys that there are, and those that there once were, by purpose and version; without the keys.

        Raises:
            KeysError: The keys can't be reached, or lie where others can read them.
            StorageError: The state database can't be read.
        """
        found = {(info.purpose, info.version): info for info in self._provider.found()}
        for (purpose, version), record in self._made().items():
            known = found.get((purpose, version))
            if known is None:
                lost = f"lost: {self._lost(purpose, version, record)}"
                known = KeyInfo(purpose=purpose, version=version, place="", problem=lost)
            found[purpose, version] = _completed(known, record)
        newest = {purpose: version for purpose, version in sorted(found) if found[purpose, version].place}
        return [
            info.marked(current=newest.get(purpose) == version)
            for (purpose, version), info in sorted(found.items())
        ]

    def create(self, purpose: str) -> KeyInfo:
        """Makes a key.

        Args:
            purpose: What it is for: ``mask``, ``suppress``, ``sign``, ``shred``, ``requests``, or a name of
                your own that operators name in their `key`.

        Returns:
            What there is to say of it; not the key.

        Raises:
            RefusedError: There is such a key already, or it would lie among the tables.
            KeysError: The provider can't make it, or not here.
            StorageError: The state database can't be written.
        """
        name = purpose_of(purpose)
        _ensure_apart(self._config)
        # Asked for before anything is made: a key is not made where that can't be kept. And in this order:
        # another process's version that is remembered is there too.
        made = self._made()
        there = self._provider.versions(name)
        if there:
            raise _there_already(name, there[-1])
        try:
            return self._make(name, _after(name, there, made), action="create")
        except ConflictError:
            raise _there_already(name, self._provider.versions(name)[-1]) from None

    def rotate(self, purpose: str) -> KeyInfo:
        """Makes the next version of a key: from now on, new values are masked with it.

        Older versions stay, and what was masked with them can still be turned back. Deterministic masks of
        new rows differ from those of older rows until these are masked again; columns that are part of a
        table's key keep the first version.

        Args:
            purpose: What it is for.

        Returns:
            What there is to say of the new version; not the key.

        Raises:
            ConflictError: Another process rotated it at the same time: there is one new version, not two.
            KeysError: There is no such key, or the provider can't make a version.
            StorageError: The state database can't be written.
        """
        name = purpose_of(purpose)
        made = self._made()
        there = self._provider.versions(name)
        if not there:
            raise self._none_of(name)
        return self._make(name, _after(name, there, made), action="rotate")

    def next_rotation(self, purpose: str) -> Rotation:
        """What a rotation would do; nothing is made.

        Args:
            purpose: What it is for.

        Raises:
            KeysError: There is no such key.
        """
        name = purpose_of(purpose)
        made = self._made()
        there = self._provider.versions(name)
        if not there:
            raise self._none_of(name)
        return Rotation(name, newest=there[-1], next=_after(name, there, made))

    def draft(self, purpose: str, *, rotate: bool = False) -> Variable:
        """Makes a key, or its next version, for the provider ``env``. It is kept nowhere: set it yourself.

        Args:
            purpose: What it is for.
            rotate: Whether the next version of a key that is there is meant.

        Returns:
            The variable and its value, which is the key: show it to nobody but the one who sets it.

        Raises:
            UsageError: Another provider keeps the keys, and makes them itself.
            RefusedError: There is such a key already, and no rotation is meant.
            KeysError: There is no such key to rotate.
        """
        name = purpose_of(purpose)
        if not isinstance(self._provider, EnvKeys):
            raise UsageError(
                f"keys are shown for the provider `env` alone; here `{self._provider.name}` keeps them",
                advice="leave it out: the key is made where it is kept",
            )
        if rotate:
            return self._provider.draft(name, self.next_rotation(name).next)
        made = self._made()
        there = self._provider.versions(name)
        if there:
            raise _there_already(name, there[-1])
        return self._provider.draft(name, _after(name, there, made))

    def _make(self, purpose: str, version: int, *, action: str) -> KeyInfo:
        now, author = self._clock(), operator()
        info = self._provider.make(purpose, version, now=now, author=author)
        detail = {"purpose": purpose, "version": version, "provider": self._provider.name}
        self._records.add(
            [ActionRecord(kind=KIND, action=action, table="", at=now, author=author, detail=detail)]
        )
        return info.marked(current=True)

    def _newest(self, purpose: str, there: int) -> int:
        """The newest version that ever was, as far as it is known: the state database is asked once."""
        known = self._seen.get(purpose)
        if known is None:
            try:
                known = _after(purpose, (), self._made()) - 1
            except LakehouseError:
                # Masking goes on while the database is out of reach.
                return there
        newest = max(known, there)
        with self._lock:
            self._seen[purpose] = max(newest, self._seen.get(purpose, 0))
        return newest

    def _made(self) -> Mapping[tuple[str, int], ActionRecord]:
        """Who made which version when, as the state database remembers; also of those that are gone.

        Those of other providers too: a lake that changes its provider must not give a number to two keys.
        """
        records = self._records.list(kinds=[KIND])
        return {(str(each.detail["purpose"]), int(each.detail["version"])): each for each in records}

    def _ever(self, purpose: str, version: int) -> bool:
        """Whether there can have been a version: all up to the newest that is known of."""
        if isinstance(self._provider, EnvKeys):
            # Whoever sets variables need not have made the keys here.
            return True
        try:
            newest = _after(purpose, self._provider.versions(purpose), self._made()) - 1
        except LakehouseError:
            return True
        return version <= newest

    def _lost(self, purpose: str, version: int, record: ActionRecord | None = None) -> str:
        """What to do about a version that is gone."""
        if record is None:
            with suppress(LakehouseError):
                record = self._made().get((purpose, version))
        provider = self._provider.name if record is None else str(record.detail.get("provider"))
        if provider != self._provider.name:
            return f"it was made by the provider `{provider}`, and `keys` names `{self._provider.name}` now"
        return self._provider.lost(purpose, version)

    def _loaded(self, purpose: str, version: int) -> Key:
        with self._lock:
            known = self._known.get((purpose, version))
        if known is None:
            known = Key(purpose, version, self._provider.load(purpose, version))
            with self._lock:
                self._known[purpose, version] = known
        return known

    def _none_of(self, purpose: str, *, wanted: int | None = None) -> KeysError:
        if wanted is not None:
            return KeysError(
                f"version {wanted} of the key `{purpose}` is lost, as is the whole key: what was masked with "
                "it stays masked",
                advice=self._lost(purpose, wanted),
            )
        newest = self._newest(purpose, 0)
        if newest:
            # To make another one is seldom what helps: the folder or variables are not where they were.
            return KeysError(
                f"the key `{purpose}` is lost, all of it (version {newest} was the newest): nothing is "
                "masked anew",
                advice=f"{self._lost(purpose, newest)}; or `lakehouse keys create {purpose}` makes version "
                f"{newest + 1}, whose masks join with none of before",
            )
        return KeysError(f"there is no key `{purpose}`", advice=f"`lakehouse keys create {purpose}` makes it")


def _ensure_apart(config: Config) -> None:
    """Refuses a folder of keys below the lake's: who gets a copy of the tables would get the keys too."""
    if config.keys.provider != "file" or not config.storage.is_local:
        return
    keys, root = Path(config.keys.path).resolve(), Path(config.storage.root).resolve()
    if keys.is_relative_to(root):
        raise RefusedError(
            f"the keys would lie in {keys}, below the tables: whoever gets a copy of these gets the keys too",
            advice="set `keys.path` to a folder outside of `storage.root`",
        )


def _after(purpose: str, there: Iterable[int], made: Iterable[tuple[str, int]]) -> int:
    """The version after all that there are, or ever were."""
    return 1 + max([0, *there, *(version for name, version in made if name == purpose)])


def _there_already(purpose: str, newest: int) -> RefusedError:
    return RefusedError(
        f"there is a key `{purpose}` already (version {newest})",
        advice=f"`lakehouse keys rotate {purpose}` makes its next version",
    )


def _completed(info: KeyInfo, record: ActionRecord) -> KeyInfo:
    """With what only the state database knows."""
    return KeyInfo(
        purpose=info.purpose,
        version=info.version,
        place=info.place,
        created=info.created or record.at,
        author=info.author or record.author,
        problem=info.problem,
    )
