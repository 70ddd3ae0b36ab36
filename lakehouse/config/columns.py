"""Column types as a config writes them, checked and brought into one spelling.

The names are those of the Delta protocol, section "Schema Serialization Format", and of Spark SQL.
"""

from __future__ import annotations

import re
from typing import Final

from lakehouse.config.nearest import listed, nearest

PRIMITIVES: Final = (
    "string", "long", "integer", "short", "byte", "float", "double", "boolean",
    "binary", "date", "timestamp", "timestamp_ntz",
)  # fmt: skip
NESTED: Final = ("array", "map", "struct")

_SAME: Final = {
    "int": "integer",
    "bigint": "long",
    "smallint": "short",
    "tinyint": "byte",
    "real": "float",
    "bool": "boolean",
    "str": "string",
    "text": "string",
    "bytes": "binary",
    "timestamp_ltz": "timestamp",
    "timestampntz": "timestamp_ntz",
    "numeric": "decimal",
    "dec": "decimal",
}
# Names of other systems, which are no types here but show what is meant.
_ELSEWHERE: Final = {
    "varchar": "string",
    "char": "string",
    "uuid": "string",
    "json": "string",
    "jsonb": "string",
    "utf8": "string",
    "enum": "string",
    "time": "string",
    "int8": "byte",
    "int16": "short",
    "int32": "integer",
    "int64": "long",
    "serial": "integer",
    "bigserial": "long",
    "number": "decimal(38,9)",
    "money": "decimal(19,4)",
    "float32": "float",
    "float64": "double",
    "datetime": "timestamp",
    "timestamptz": "timestamp",
    "bytea": "binary",
    "blob": "binary",
    "list": "array<...>",
    "object": "struct<...>",
    "dict": "map<...,...>",
}
_TOKEN: Final = re.compile(r"\s*(`(?:[^`]|``)+`|[^\s<>(),:`]+|[<>(),:])")
_DEEPEST: Final = 32


def canonical_type(text: str) -> str:
    """Checks a column type.

    Args:
        text: Such as ``long``, ``Decimal(12, 4)`` or ``struct<a: int, b: array<string>>``.

    Returns:
        The same type in one spelling, without blanks: ``struct<a:integer,b:array<string>>``.

    Raises:
        ValueError: It is no type; the nearest name is suggested.
    """
    reader = _Reader(text)
    result = reader.type(0)
    reader.finish()
    return result


class _Reader:
    """Reads one type from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _TOKEN.findall(text)
        self._at = 0
        if "".join("".join(self._tokens).split()) != "".join(text.split()):
            raise self._wrong("is no type")

    def type(self, depth: int) -> str:
        if depth > _DEEPEST:
            raise self._wrong("nests too deeply")
        written = self._next()
        name = _SAME.get(written.lower(), written.lower())
        match name:
            case "decimal":
                return self._decimal()
            case "array":
                self._expect("<")
                element = self.type(depth + 1)
                self._expect(">")
                return f"array<{element}>"
            case "map":
                self._expect("<")
                key = self.type(depth + 1)
                self._expect(",")
                value = self.type(depth + 1)
                self._expect(">")
                return f"map<{key},{value}>"
            case "struct":
                return self._struct(depth)
        if name not in PRIMITIVES:
            raise ValueError(self._unknown(written))
        return name

    def finish(self) -> None:
        if self._at != len(self._tokens):
            raise self._wrong("goes on after its end")

    def _decimal(self) -> str:
        if self._peek() != "(":
            raise self._wrong(
                "needs its digits, as decimal(12,4): 12 digits in all, 4 of them after the point"
            )
        self._expect("(")
        precision = self._digits()
        scale = 0
        if self._peek() == ",":
            self._expect(",")
            scale = self._digits()
        self._expect(")")
        if not (1 <= precision <= 38 and scale <= precision):
            raise self._wrong("has digits that can't be: 1 to 38 in all, and no more of them after the point")
        return f"decimal({precision},{scale})"

    def _struct(self, depth: int) -> str:
        self._expect("<")
        fields: dict[str, str] = {}
        while True:
            name = self._next()
            if name in set("<>(),:"):
                raise self._wrong("lacks the name of a field, as struct<a:long,b:string>")
            self._expect(":")
            plain = name.strip("`").casefold()
            if plain in fields:
                raise self._wrong(f"has two fields named `{name}`")
            fields[plain] = f"{name}:{self.type(depth + 1)}"
            if self._peek() != ",":
                break
            self._expect(",")
        self._expect(">")
        return f"struct<{','.join(fields.values())}>"

    def _digits(self) -> int:
        token = self._next()
        if not (token.isascii() and token.isdigit() and len(token) < 4):
            raise self._wrong("needs whole numbers in its brackets")
        return int(token)

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise self._wrong("ends too early")
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if self._peek() != token:
            raise self._wrong(f"lacks a `{token}`")
        self._at += 1

    def _wrong(self, what: str) -> ValueError:
        return ValueError(f"the type `{self._text}` {what}")

    def _unknown(self, written: str) -> str:
        whole = "" if written == self._text else f" in `{self._text}`"
        known = [*PRIMITIVES, "decimal(12,4)", "array<...>", "map<...,...>", "struct<...>"]
        meant = _ELSEWHERE.get(written.lower()) or nearest(written, [*PRIMITIVES, *_SAME, "decimal", *NESTED])
        end = f"did you mean `{meant}`?" if meant else f"types: {listed(known)}"
        return f"unknown type `{written}`{whole}; {end}"
