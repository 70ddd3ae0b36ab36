"""Names that a column of a table that is merged into can't have: a merge works with columns of these names.

Other names that begin with ``__`` are as good as any: pandas and GraphQL bring such columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lakehouse.errors import DataError

_PREFIXES: Final = ("__absent__", "__before__", "__buried_", "__mark_", "__stored_")
_NAMES: Final = frozenset(
    """
    __alive __at __base __begins __buried __change __changed __column __deleted_at __entry __fate
    __file __floor __holds __key __lost __mine __new __newer __number __old __op __op_theirs
    __opens __order __ordinal __own __own_rank __place __position __rank __row __source __start
    __take __theirs __tie __tied __time __verdict __version
    """.split()  # noqa: SIM905 - fifty lines otherwise
)
_FEED: Final = frozenset({"_change_type", "_commit_version", "_commit_timestamp"})


def is_reserved(name: str) -> bool:
    """Whether merges work with a column of a name.

    Args:
        name: A column's name.
    """
    return name in _NAMES or name.startswith(_PREFIXES)


def refuse_reserved(names: Iterable[str], *, table: str, feed: bool) -> None:
    """Refuses a table with columns whose names have a meaning of their own.

    Args:
        names: Its columns.
        table: Its name.
        feed: Whether it has a change feed, whose columns stand beside those of the table (Delta protocol,
            section "Add CDC File").

    Raises:
        DataError: There are such columns.
    """
    columns = tuple(names)
    own = [name for name in columns if is_reserved(name)]
    if own:
        raise DataError(
            f"table {table} would have the column {', '.join(own)}, a name that merges use; "
            "nothing was written",
            advice="give the column another name",
        )
    fed = [name for name in columns if feed and name.lower() in _FEED]
    if fed:
        raise DataError(
            f"table {table} would have the column {', '.join(fed)}, a name that its change feed uses; "
            "nothing was written",
            advice="give the column another name, or switch the change feed off",
        )
