"""What stays in the log: decided for names alone, never for values.

Delta protocol, sections "Per-file Statistics", "Commit Provenance Information" and "Add File and Remove
File".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lakehouse.delta.stripping.cutting import members, quoted, replaced, text_of

_BY_COLUMN: Final = ("minValues", "maxValues", "nullCount")
_INSIDE_LISTS: Final = ("element", "key", "value")

COMMIT_INFO: Final = frozenset(
    {
        "timestamp",
        "inCommitTimestamp",
        "version",
        "operation",
        "operationParameters",
        "operationMetrics",
        "engineInfo",
        "clientVersion",
        "delta-rs",
        "txnId",
        "isBlindAppend",
        "readVersion",
        "isolationLevel",
        "userId",
        "userName",
        "clusterId",
        "notebook",
        "job",
    }
)
"""What a ``commitInfo`` keeps: what did it and when, and counts. Everything else can be free text."""

PARAMETERS: Final = frozenset(
    {
        "auto",
        "batchId",
        "batchSize",
        "clusterBy",
        "copy",
        "defaultRetentionMillis",
        "epochId",
        "isManaged",
        "mask",
        "maxSpillSize",
        "minSpillSize",
        "mode",
        "outputMode",
        "partitionBy",
        "properties",
        "queryId",
        "retention",
        "retentionCheckEnabled",
        "specifiedRetentionMillis",
        "statsOnLoad",
        "status",
        "targetSize",
        "timestamp",
        "version",
        "zOrderBy",
    }
)
"""What ``operationParameters`` keep. Conditions go, as ``predicate``: they name values."""

TAGS: Final = frozenset(
    {
        "INSERTION_TIME",
        "MIN_INSERTION_TIME",
        "MAX_INSERTION_TIME",
        "ZCUBE_ID",
        "ZCUBE_ZORDER_BY",
        "ZCUBE_ZORDER_CURVE",
        "OPTIMIZE_TARGET_SIZE",
        "ICEBERG_COMPAT_VERSION",
    }
)
"""What the ``tags`` of files keep: when, and how they were laid out."""


@dataclass(slots=True)
class _Branch:
    """Names of columns, as a tree."""

    below: dict[str, _Branch] = field(default_factory=dict)
    whole: bool = False


class Rules:
    """What is cut out of actions.

    Args:
        columns: Columns as statistics call them (their physical names), from the outside in, each with all
            that is in it. Statistics know no elements of lists and maps: a path into one means the list.
            None means all columns, those that the table does not have any more among them.
        files: Paths, as in the log, of the files whose statistics and tags go; None means all files.
        but: Paths of files whose statistics and tags stay.
    """

    def __init__(
        self,
        columns: Iterable[Sequence[str]] | None,
        *,
        files: Collection[str] | None = None,
        but: Collection[str] = (),
    ) -> None:
        self.files = None if files is None else frozenset(files)
        self.but = frozenset(but)
        self.whole = columns is None
        self.columns = tuple(_outside_lists(path) for path in columns or ())
        self._tree = _Branch()
        for path in self.columns:
            branch = self._tree
            for name in path:
                branch = branch.below.setdefault(name, _Branch())
            branch.whole = True
        self._quoted = [quoted(name) for name in self._tree.below]

    def stats(self, text: str) -> str:
        """Statistics of a file, as JSON, without the columns.

        Args:
            text: As in ``add.stats``.

        Returns:
            The same text where they are not in it; none at all where it is no JSON.
        """
        if not self.whole and "\\u" not in text and not any(name in text for name in self._quoted):
            # Most texts that have been here before, and those of files without the columns.
            return text
        try:
            return replaced(text, 0, self._of_stats)
        except ValueError:
            return "{}"

    def _of_stats(self, key: str, value: str) -> Any:
        if key not in _BY_COLUMN:
            return ...
        return None if self.whole else self._columns(value, self._tree)

    def _columns(self, value: str, branch: _Branch) -> Any:
        def change(key: str, inner: str) -> Any:
            found = branch.below.get(key)
            if found is None:
                return ...
            return None if found.whole else self._columns(inner, found)

        new = replaced(value, 0, change)
        return ... if new is value else new

    def line(self, text: str) -> str:
        """One line of a commit, compaction or checkpoint.

        Args:
            text: A JSON object with one action.

        Returns:
            The same text where nothing has to go.

        Raises:
            ValueError: It is no JSON.
        """
        return replaced(text, 0, self._action)

    def _action(self, name: str, value: str) -> Any:
        match name:
            case "add" | "remove" | "cdc" if self._means(value):
                new = replaced(value, 0, self._of_file)
            case "commitInfo":
                new = replaced(value, 0, _of_commit)
            case _:
                return ...
        return ... if new is value else new

    def _means(self, value: str) -> bool:
        if self.files is None and not self.but:
            return True
        paths = (text_of(value[item.value : item.end]) for item in members(value) if item.key == "path")
        path = next(paths, None)
        return path not in self.but and (self.files is None or path in self.files)

    def _of_file(self, key: str, value: str) -> Any:
        if key == "stats":
            text = text_of(value)
            if text is None:
                return ...
            new = self.stats(text)
            return ... if new is text else quoted(new)
        if key == "tags":
            tags = replaced(value, 0, lambda tag, _: ... if tag in TAGS else None)
            return ... if tags is value else tags
        return ...


def _of_commit(key: str, value: str) -> Any:
    if key not in COMMIT_INFO:
        return None
    if key != "operationParameters":
        return ...
    new = replaced(value, 0, lambda name, _: ... if name in PARAMETERS else None)
    return ... if new is value else new


def _outside_lists(path: Sequence[str]) -> tuple[str, ...]:
    # A struct may have a field of such a name; then a little more goes than has to.
    inside = next((n for n, name in enumerate(path) if n and name in _INSIDE_LISTS), len(path))
    return tuple(path[:inside])
