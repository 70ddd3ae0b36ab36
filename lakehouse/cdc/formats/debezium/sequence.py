"""Where a change stands in its source's log, as text whose order is the order of the changes.

Every connector has its own coordinates. They become fixed-width parts, joined by dots:

==========  ==========================================================================================
connector   parts
==========  ==========================================================================================
PostgreSQL  LSN of the last commit before it, its own LSN (both ``source.sequence``, 16 hex digits), its
            number in the transaction (10 digits). A snapshot has no commit: 0, so that its rows come before
            all streamed changes, and after those of earlier snapshots. Its LSN would not do: transactions
            that were open at that position are streamed with smaller ones, and the snapshot lacks them. Rows
            of an incremental snapshot tell the last commit before them, and stand behind it. The first
            transaction after a start has none either: its own LSN stands in, which is right because the
            changes of one row are always in the order of their LSNs.
MySQL,      number of the binlog file (10 digits), position (20 digits), row in the event (10 digits).
MariaDB     Holds as long as the files' numbers rise: not across ``RESET MASTER`` or another server.
SQL Server  commit LSN, change LSN (26 characters each), number in the change (10 digits)
Db2         the same
Oracle      commit SCN, own SCN (20 digits each), number in the transaction or the log (10 digits)
others      ``source.ts_ms`` (16 digits), number in the transaction (10 digits). The caveat: two changes of a
            row in the same millisecond and without transaction metadata can't be told apart, and the
            source's clock must not go back. Name a column in ``changes.sequence`` where that matters.
==========  ==========================================================================================

Debezium's documentation of each connector, section "Data change events", names the fields. What a
snapshot of SQL Server, Db2 and MySQL read stands at the place where streaming begins; for PostgreSQL and
Oracle it stands before everything that was streamed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

import orjson

from lakehouse.cdc.formats.debezium.events import Fields

_BINLOG: Final = re.compile(r"(\d+)$")
_DIGITS: Final = re.compile(r"\d+")
_STREAMED: Final = frozenset({None, False, "false", "incremental"})


def sequence_of(source: Fields, *, op: str, total_order: int | None) -> str | None:
    """The place of a change in its source's log.

    Args:
        source: The event's ``source``, or the added fields of the flattened form without their prefix.
        op: The event's operation; ``r`` says that a snapshot read the row where ``source`` does not.
        total_order: The event's number in its transaction, or None.

    Returns:
        Text that sorts as the changes do; None where the source says nothing usable.
    """
    pair = source.get("sequence")
    if type(pair) is str and pair[:2] == '["':  # nearly every streamed event of PostgreSQL
        try:
            commit, lsn = pair[2:-2].split('","')
            return f"{int(commit):016x}.{int(lsn):016x}.{total_order or 0:010d}"
        except ValueError:
            pass
    snapshot = source.get("snapshot")
    from_snapshot = op == "r" if snapshot is None else snapshot not in _STREAMED
    place = _Place(source, total_order or 0, from_snapshot)
    for field, encode in _CONNECTORS:
        if source.get(field) is not None:
            try:
                return encode(place)
            except (ValueError, TypeError, OverflowError):
                return None
    return None


def micros_of(source: Fields) -> int | None:
    """When a change was made in its source.

    Args:
        source: As for `sequence_of`.

    Returns:
        Microseconds since the epoch, UTC; None where the source does not tell.
    """
    for field, factor in (("ts_us", 1), ("ts_ms", 1000)):
        value = source.get(field)
        if isinstance(value, int):
            return value * factor
    return None


def postgres_sequence(commit: int | None, lsn: int | None, order: int, *, snapshot: bool) -> str:
    """The sequence of a PostgreSQL change.

    Args:
        commit: LSN of the last commit before the change's transaction, None where it is not known.
        lsn: The change's own LSN, None where it is not known.
        order: The change's number in its transaction, 0 where it is not known.
        snapshot: Whether a snapshot read the row.

    Returns:
        Two hexadecimal numbers of 16 digits and a decimal one of 10.
    """
    own = lsn or 0
    if commit is None:
        commit = 0 if snapshot else own
    return f"{commit:016x}.{own:016x}.{order:010d}"


class _Place(NamedTuple):
    source: Fields
    order: int
    snapshot: bool


def _postgres(place: _Place) -> str:
    pair = orjson.loads(str(place.source["sequence"]))
    commit, lsn = (None if part is None else _whole(part) for part in pair)
    return postgres_sequence(commit, lsn, place.order, snapshot=place.snapshot)


def _postgres_lsn(place: _Place) -> str:
    return postgres_sequence(None, _whole(place.source["lsn"]), place.order, snapshot=place.snapshot)


def _mysql(place: _Place) -> str:
    number = _BINLOG.search(str(place.source["file"]))
    if number is None:
        raise ValueError
    position, row = _whole(place.source.get("pos") or 0), _whole(place.source.get("row") or 0)
    return f"{int(number[1]):010d}.{position:020d}.{row:010d}"


def _sql_server(place: _Place) -> str:
    commit, change = (str(place.source.get(name) or "").lower() for name in ("commit_lsn", "change_lsn"))
    serial = place.source.get("event_serial_no")
    number = place.order if serial is None else _whole(serial)
    return f"{_padded(commit)}.{_padded(change)}.{number:010d}"


def _padded(lsn: str) -> str:
    """An LSN of SQL Server or Db2 (three groups of hexadecimal digits) at full width."""
    groups = [*(lsn.split(":") if lsn else ()), "", "", ""]
    return ":".join(group.zfill(8) for group in groups[:3])


def _oracle(place: _Place) -> str:
    commit, own = (_first_number(place.source.get(name)) for name in ("commit_scn", "scn"))
    number = place.order or _first_number(place.source.get("ssn"))
    return f"{0 if place.snapshot else commit or own:020d}.{own:020d}.{number:010d}"


def _first_number(value: object) -> int:
    """An SCN; a cluster's events list several, the first is the thread's own."""
    found = _DIGITS.search(str(value or 0))
    return int(found[0]) if found else 0


def _clock(place: _Place) -> str:
    return f"{_whole(place.source['ts_ms']):016d}.{place.order:010d}"


def _whole(value: object) -> int:
    if isinstance(value, int | str):
        return int(value)
    raise TypeError


_CONNECTORS: Final[tuple[tuple[str, Callable[[_Place], str]], ...]] = (
    ("sequence", _postgres),
    ("commit_lsn", _sql_server),
    ("change_lsn", _sql_server),
    ("file", _mysql),
    ("scn", _oracle),
    ("lsn", _postgres_lsn),
    ("ts_ms", _clock),
)
"""How the source is told from its fields, the surest first."""
