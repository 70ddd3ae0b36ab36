"""Commits that were emptied, since their files are gone and their names must not be known any more.

Such a commit keeps its number taken, so that no writer who began before it can commit there and be part of
nothing. It asks for a feature that nobody has: readers that go on from a version before it, and writers that
look what others did meanwhile, stop there instead of missing what it did. Who begins at the checkpoint after
it never sees it.
"""

from __future__ import annotations

from typing import Final

import orjson

from lakehouse.delta.actions import Protocol, serialize
from lakehouse.delta.stripping.rules import Rules
from lakehouse.errors import CorruptTableError

FEATURE: Final = "lakehouse-closed"

_PROTOCOL: Final = Protocol(3, 7, (FEATURE,), (FEATURE,))


def closed_commit(data: bytes) -> bytes:
    """What is left of a commit: who did what.

    Args:
        data: The commit.

    Returns:
        It, emptied; the same once it is.

    Raises:
        CorruptTableError: It can't be read.
    """
    rules = Rules(None)
    try:
        lines = [line.decode() for line in data.split(b"\n") if b'"commitInfo"' in line]
        told = [rules.line(line) for line in lines if "commitInfo" in orjson.loads(line)]
    except ValueError:
        # The cause is not kept: it could show values.
        raise CorruptTableError("a commit is no JSON") from None
    return b"".join(f"{line}\n".encode() for line in told) + serialize(_PROTOCOL) + b"\n"


def is_closed(protocol: Protocol) -> bool:
    """Whether a table was worked out from a commit that was emptied.

    Args:
        protocol: What it needs.
    """
    return FEATURE in (protocol.reader_features or ())
