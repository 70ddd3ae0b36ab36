"""Names of objects as they may be shown: a folder, or a file of others, can be called after a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lakehouse.errors import LakehouseError
from lakehouse.requests.needles import Needle
from lakehouse.requests.people import People
from lakehouse.requests.search.names import shown
from lakehouse.requests.search.sought import Sought


def sought_of(people: People) -> Sought:
    """What must not be shown of people.

    Args:
        people: Who they are.
    """
    return Sought(
        [Needle(*row) for row in people.values().select("request", "identifier", "value").iter_rows()]
    )


@contextmanager
def unnamed(sought: Sought) -> Iterator[None]:
    """Around all that touches objects: where an error names one after a person, it is told without.

    Args:
        sought: Who must not be shown.

    Raises:
        LakehouseError: The same, of the same kind. The cause is not kept where the message changes.
    """
    try:
        yield
    except LakehouseError as error:
        message, advice = shown(error.message, sought), shown(error.advice, sought)
        if (message, advice) == (error.message, error.advice):
            raise
        raise type(error)(message, advice=advice) from None
