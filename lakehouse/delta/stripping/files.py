"""Files of the log without values of rows: commits, compactions, checkpoints and checksums. Pure."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from lakehouse.delta.parquet_edit.check import check
from lakehouse.delta.parquet_edit.edit import edited
from lakehouse.delta.parquet_edit.footer import Footer, Node, read_footer
from lakehouse.delta.parquet_edit.places import find
from lakehouse.delta.parquet_edit.problems import without_values
from lakehouse.delta.parquet_edit.raw import read_column
from lakehouse.delta.parquet_edit.values import Change, Mask, Target, among, emptied, flat, kept_items
from lakehouse.delta.stripping.rules import TAGS, Rules
from lakehouse.errors import CorruptTableError

_FILES = ("add", "remove", "cdc")
_PARSED = ("minValues", "maxValues", "nullCount")


def stripped_lines(data: bytes, rules: Rules, *, keep_size: bool = False) -> bytes:
    """A commit, a compaction or a checkpoint in JSON lines.

    Args:
        data: The file.
        rules: What goes.
        keep_size: Whether what was cut out is made up for by spaces at the ends of lines, where other files
            tell the size of this one.

    Returns:
        The file; itself where nothing has to go. Lines without any of it keep their bytes.

    Raises:
        CorruptTableError: A line can't be read.
    """
    lines = data.split(b"\n")
    new: list[bytes] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            new.append(line)
            continue
        try:
            text = line.decode()
            found = rules.line(text)
        except ValueError:
            # The cause is not kept: it could show values.
            raise CorruptTableError(f"line {number} of a file of the log is no JSON") from None
        content = line if found is text else found.encode()
        new.append(content.ljust(len(line)) if keep_size else content)
    made = b"\n".join(new)
    return data if made == data else made


def stripped_checkpoint(data: bytes, rules: Rules) -> bytes:
    """A checkpoint, or a part or sidecar of one, in Parquet.

    Args:
        data: The file.
        rules: What goes.

    Returns:
        The file, of the same size and schema; itself where nothing has to go. Nothing but the columns of
        statistics and tags is touched.

    Raises:
        CorruptTableError: It is no Parquet file.
        CantEditError: It can't be changed at its size.
    """
    with without_values():
        return _stripped(data, rules)


def _stripped(data: bytes, rules: Rules) -> bytes:
    footer = read_footer(data)
    targets = _targets(footer, rules)
    rows = None if rules.files is None and not rules.but else _rows(data, footer, rules)
    done = edited(data, footer, targets, rows=rows, size=len(data))
    if done is None:
        return data
    made, edit = done
    check(data, made, edit)
    return made


def partition_names(data: bytes) -> frozenset[str]:
    """What the partition values of the files in a checkpoint are told under.

    Args:
        data: A checkpoint, or a part or sidecar of one, in Parquet.

    Returns:
        Physical names of columns.

    Raises:
        CorruptTableError: It is no Parquet file.
    """
    with without_values():
        footer = read_footer(data)
        found: set[bytes] = set()
        for action in ("add", "remove"):
            node = find(footer.root, [action, "partitionValues", "key"])
            if node is None:
                continue
            for group in range(len(footer.groups)):
                names = flat(read_column(data, footer, node, group), node)[0]
                found.update(names.unique().to_pylist())
        return frozenset(name.decode() for name in found)


def tells_values(data: bytes, rules: Rules) -> bool:
    """Whether a version's checksum file (``.crc``) holds statistics of files.

    Args:
        data: The file.
        rules: What must not be in it.

    Returns:
        True also where it can't be read: it is optional, and better gone.
    """
    try:
        found = orjson.loads(data)
        files = found.get("allFiles") or []
        return any(
            each.get("tags") or rules.stats(each.get("stats") or "{}") != (each.get("stats") or "{}")
            for each in files
        )
    except (orjson.JSONDecodeError, AttributeError, TypeError):
        return True


def _targets(footer: Footer, rules: Rules) -> list[Target]:
    found: list[Target] = []
    for action in _FILES:
        stats = find(footer.root, [action, "stats"])
        if stats is not None and not stats.children:
            found.append(Target(stats, _of_stats(rules)))
        tags = find(footer.root, [action, "tags"])
        if tags is not None and tags.kind == "map":
            found.append(Target(tags, _of_tags))
        for part in _PARSED:
            for path in ((),) if rules.whole else rules.columns:
                node = find(footer.root, [action, "stats_parsed", part, *path])
                if node is not None:
                    found.append(Target(node, emptied))
    nodes = {target.node for target in found}
    return [target for target in found if not any(above in nodes for above in target.node.ancestors()[:-1])]


def _rows(data: bytes, footer: Footer, rules: Rules) -> npt.NDArray[np.uint64]:
    """The positions of the actions that speak of the files that are meant."""
    wanted = None if rules.files is None else _paths(rules.files)
    spared = _paths(rules.but)
    found: list[npt.NDArray[np.int64]] = []
    start = 0
    for group, count in enumerate(footer.rows()):
        for action in _FILES:
            node = find(footer.root, [action, "path"])
            if node is not None:
                paths = read_column(data, footer, node, group).flatten()[0]
                meant = (
                    paths.is_valid().to_numpy(zero_copy_only=False)
                    if wanted is None
                    else among(paths, wanted)
                )
                found.append(np.flatnonzero(meant & ~among(paths, spared)) + start)
        start += count
    return np.unique(np.concatenate(found)).astype(np.uint64) if found else np.zeros(0, dtype=np.uint64)


def _paths(files: Collection[str]) -> pa.Array:
    return pa.array([path.encode() for path in sorted(files)], pa.binary())


def _of_stats(rules: Rules) -> Change:
    def change(values: pa.Array, mask: Mask, node: Node) -> pa.Array | None:
        del node
        places = np.flatnonzero(mask)
        old = values.take(pa.array(places)).to_pylist()
        new = [None if each is None else rules.stats(each.decode()).encode() for each in old]
        if new == old:
            return None
        order = np.arange(len(values))
        order[places] = len(values) + np.arange(len(places))
        return pa.concat_arrays([values, pa.array(new, values.type)]).take(pa.array(order))

    return change


def _of_tags(values: pa.Array, mask: Mask, node: Node) -> pa.Array | None:
    del node
    known = pa.array([name.encode() for name in sorted(TAGS)], pa.binary())
    return kept_items(values, mask, lambda pairs: among(pairs.field(0), known))
