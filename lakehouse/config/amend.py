"""Adds to the text of a config what a scan found, and leaves every other character as it is.

The text is not written anew from what it means: comments, order, quotes and anchors stay because nobody
touches them. Whether the result means what it should is checked by reading it again.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from lakehouse.config.document import Document
from lakehouse.config.yaml_source import read_yaml

Kinds: TypeAlias = Sequence[str] | Mapping[str, Any]
"""Kinds of personal data, or a section of its own as the config writes it."""
_PLAIN: Final = re.compile(r"[A-Za-z_][\w.$-]*(?:\[\]|\{\})*[\w.$-]*")
_PLAIN_IN_FLOW: Final = re.compile(r"[A-Za-z_][\w.$-]*")
# What YAML reads as something else than a text.
_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_STEP: Final = 2


@dataclass(frozen=True, slots=True)
class Amended:
    """A text with more in it.

    Args:
        text: All of it.
        added: Table, path and kinds that are new in it.
        skipped: Tables that nothing could be added to, and why.
    """

    text: str
    added: Mapping[str, Mapping[str, Kinds]]
    skipped: Mapping[str, str]


class _CannotAddError(Exception):
    """Why a table's section can't be added to."""


def with_pii(text: str, additions: Mapping[str, Mapping[str, Kinds]]) -> Amended:
    """Adds kinds of personal data to ``tables.<table>.pii``: pure.

    Args:
        text: A config, as it was written: block or flow style, with comments, anchors and any line ends.
        additions: Table, path, kinds. What the text says of a path already stays.

    Returns:
        The text; tables whose section can't be added to without changing more are left alone.
    """
    added: dict[str, Mapping[str, Kinds]] = {}
    skipped: dict[str, str] = {}
    for table, entries in additions.items():
        try:
            before = _meaning(text)
            new = {path: kinds for path, kinds in entries.items() if path not in _said(before, table)}
            if not new:
                continue
            changed = _added(text, table, new)
            if _meaning(changed) != _expected(before, table, new):
                raise _CannotAddError("its section shares parts with others")
        except _CannotAddError as error:
            skipped[table] = str(error)
        else:
            text, added[table] = changed, new
    return Amended(text, added, skipped)


def _meaning(text: str) -> Any:
    document = Document(name="config", source="", base_dir=Path())
    read_yaml(text, document)
    if document.problems:
        raise _CannotAddError("the file can't be read any more")
    return document.data


def _said(data: Any, table: str) -> Mapping[str, Any]:
    section = data["tables"].get(table) if isinstance(data, dict) and "tables" in data else None
    said = section.get("pii") if isinstance(section, dict) else None
    return said if isinstance(said, dict) else {}


def _expected(before: Any, table: str, new: Mapping[str, Kinds]) -> Any:
    data = copy.deepcopy(before)
    section = data["tables"][table] or {}
    kinds = {path: _plain(each) for path, each in new.items()}
    data["tables"][table] = {**section, "pii": {**(section.get("pii") or {}), **kinds}}
    return data


def _added(text: str, table: str, new: Mapping[str, Kinds]) -> str:
    root = YAML(typ="safe", pure=True).compose(text)
    tables_key, tables = _entry(root, "tables")
    key, section = _entry(tables, table)
    if tables_key is None or key is None or section is None:
        raise _CannotAddError("it is not in the file itself: it comes in by `<<`")
    indent = key.start_mark.column
    step = max(indent - tables_key.start_mark.column, 1) if not _is_flow(tables) else _STEP
    _here(section, key)
    pii_key, pii = _entry(section, "pii") if isinstance(section, MappingNode) else (None, None)
    if pii_key is not None and pii is not None:
        _here(pii, pii_key)
        return _into(text, pii_key, pii, _lines(new), _pairs(new), step=step)
    if isinstance(section, MappingNode) and any(
        str(name.tag).endswith(":merge") for name, _ in section.value
    ):
        # A `pii` of its own would hide one that comes in by `<<`.
        inherited = YAML(typ="safe", pure=True).load(text)["tables"][table]
        if "pii" in inherited:
            raise _CannotAddError("its `pii` comes in by `<<`")
    block = ["pii:", *(f"{' ' * step}{line}" for line in _lines(new))]
    return _into(text, key, section, block, f"pii: {{{_pairs(new)}}}", step=step)


def _entry(node: Node | None, name: str) -> tuple[Node | None, Node | None]:
    for key, value in node.value if isinstance(node, MappingNode) else ():
        if isinstance(key, ScalarNode) and key.value == name:
            return key, value
    return None, None


def _here(node: Node, key: Node) -> None:
    """Refuses a value that stands elsewhere, behind an alias."""
    if node.start_mark.index < key.start_mark.index:
        raise _CannotAddError("its section is an alias of another one")


def _into(text: str, key: Node, node: Node, block: Sequence[str], pairs: str, *, step: int) -> str:
    """Adds to a mapping: lines to one in block style, pairs to one in braces."""
    if isinstance(node, MappingNode) and _is_flow(node):
        if not node.value:
            at = node.start_mark.index + 1
            return f"{text[:at]}{pairs}{text[at:]}"
        at = _end(text, node.value[-1])
        return f"{text[:at]}, {pairs}{text[at:]}"
    if isinstance(node, MappingNode):
        indent = node.value[0][0].start_mark.column
        at = _end(text, node.value[-1])
    elif isinstance(node, ScalarNode) and node.start_mark.index == node.end_mark.index:
        # Nothing behind the colon. Where that is, only the key knows.
        indent, at = key.start_mark.column + step, key.end_mark.index
    else:
        raise _CannotAddError("its section is no mapping")
    newline = "\r\n" if "\r\n" in text else "\n"
    at = _line_end(text, at)
    lines = "".join(f"{newline}{' ' * indent}{line}" for line in block)
    return f"{text[:at]}{lines}{text[at:]}"


def _end(text: str, entry: tuple[Node, Node]) -> int:
    """Where an entry of a mapping ends, without what follows it."""
    key, node = entry
    if node.start_mark.index < key.start_mark.index:
        alias = re.compile(r"\s*:\s*\*[^\s,\[\]{}]+").match(text, key.end_mark.index)
        if alias is None:
            raise _CannotAddError("its section ends in an alias")
        return alias.end()
    if isinstance(node, MappingNode) and not _is_flow(node) and node.value:
        return _end(text, node.value[-1])
    if isinstance(node, SequenceNode) and not _is_flow(node) and node.value:
        last = node.value[-1]
        return (
            _end(text, (node, last))
            if last.start_mark.index >= node.start_mark.index
            else node.end_mark.index
        )
    end: int = node.end_mark.index
    return len(text[:end].rstrip()) if isinstance(node, ScalarNode) and node.style in {"|", ">"} else end


def _line_end(text: str, at: int) -> int:
    found = re.compile(r"[^\r\n]*").match(text, at)
    return found.end() if found is not None else len(text)


def _is_flow(node: Node | None) -> bool:
    return bool(getattr(node, "flow_style", False))


def _lines(new: Mapping[str, Kinds]) -> list[str]:
    return [f"{_quoted(path, _PLAIN)}: {_written(kinds)}" for path, kinds in new.items()]


def _pairs(new: Mapping[str, Kinds]) -> str:
    return ", ".join(f"{_quoted(path, _PLAIN_IN_FLOW)}: {_written(kinds)}" for path, kinds in new.items())


def _plain(kinds: Kinds) -> Any:
    if isinstance(kinds, Mapping):
        return dict(kinds)
    return kinds[0] if len(kinds) == 1 else list(kinds)


def _written(kinds: Kinds) -> str:
    if isinstance(kinds, Mapping):
        parts = (
            f"{name}: {value if isinstance(value, str) else json.dumps(value)}"
            for name, value in kinds.items()
        )
        return f"{{{', '.join(parts)}}}"
    return str(kinds[0]) if len(kinds) == 1 else f"[{', '.join(kinds)}]"


def _quoted(path: str, plain: re.Pattern[str]) -> str:
    if plain.fullmatch(path) and path.casefold() not in _WORDS:
        return path
    return json.dumps(path, ensure_ascii=False)
