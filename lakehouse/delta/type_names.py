"""Types as people write them: ``long``, ``decimal(12,4)``, ``array<string>``, ``struct<a:int,b:string>``.

The spelling is that of Spark SQL, whose short names (``int``, ``bigint``, ...) are understood too.
"""

from __future__ import annotations

import difflib
import re
from typing import Final

from lakehouse.delta.datatypes import (
    PRIMITIVES,
    ArrayType,
    DataType,
    DecimalType,
    MapType,
    OpaqueType,
    PrimitiveType,
    StructField,
    StructType,
)
from lakehouse.errors import UsageError

_ALIASES: Final = {
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
}
_TOKEN: Final = re.compile(r"\s*(`(?:[^`]|``)+`|[^\s<>(),:`]+|[<>(),:])")


def type_string(data_type: DataType) -> str:
    """A type as people write it; `parse_type` reads it back.

    Args:
        data_type: Any type.

    Returns:
        Such as ``map<string,decimal(12,4)>``. Whether parts can be null is not said.
    """
    match data_type:
        case PrimitiveType(name):
            return name
        case DecimalType(precision, scale):
            return f"decimal({precision},{scale})"
        case ArrayType(element, _):
            return f"array<{type_string(element)}>"
        case MapType(key, value, _):
            return f"map<{type_string(key)},{type_string(value)}>"
        case StructType(fields):
            return f"struct<{','.join(f'{_quoted(item.name)}:{type_string(item.type)}' for item in fields)}>"
        case OpaqueType(definition):
            return definition.strip('"')


def parse_type(text: str) -> DataType:
    """Read a type as a config file writes it.

    Args:
        text: Such as ``long``, ``decimal(12,4)``, ``array<string>``, ``struct<a:int,b:string>``. Case and
            blanks don't matter, except in field names; names with other characters stand in backticks.

    Returns:
        The type; every part of it can be null.

    Raises:
        UsageError: It is no type; the nearest name is suggested.
    """
    parser = _Parser(text)
    parsed = parser.type()
    parser.end()
    return parsed


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"\w+", name) else "`" + name.replace("`", "``") + "`"


class _Parser:
    """Reads one type from a text, token by token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _TOKEN.findall(text)
        self._at = 0
        if "".join(text.split()) != "".join("".join(self._tokens).split()):
            raise self._error("is not a type")

    def type(self) -> DataType:
        name = self._next().lower()
        match name:
            case "decimal" | "numeric" | "dec":
                return self._decimal()
            case "array":
                self._expect("<")
                element = self.type()
                self._expect(">")
                return ArrayType(element)
            case "map":
                self._expect("<")
                key = self.type()
                self._expect(",")
                value = self.type()
                self._expect(">")
                return MapType(key, value)
            case "struct":
                return self._struct()
        name = _ALIASES.get(name, name)
        if name not in PRIMITIVES:
            raise self._unknown(name)
        return PrimitiveType(name)

    def end(self) -> None:
        if self._at != len(self._tokens):
            raise self._error("goes on after its end")

    def _decimal(self) -> DecimalType:
        if self._peek() != "(":
            return DecimalType(10, 0)
        self._expect("(")
        precision, scale = self._number(), 0
        if self._peek() == ",":
            self._expect(",")
            scale = self._number()
        self._expect(")")
        if not (1 <= precision <= 38 and scale <= precision):
            raise self._error("has too many digits: at most 38, and the scale within them")
        return DecimalType(precision, scale)

    def _struct(self) -> StructType:
        self._expect("<")
        fields: list[StructField] = []
        while self._peek() != ">":
            if fields:
                self._expect(",")
            name = self._next()
            if name.startswith("`"):
                name = name[1:-1].replace("``", "`")
            self._expect(":")
            fields.append(StructField(name, self.type()))
        self._expect(">")
        return StructType(tuple(fields))

    def _number(self) -> int:
        token = self._next()
        if not (token.isascii() and token.isdigit()):
            raise self._error("needs whole numbers in its brackets")
        return int(token)

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise self._error("ends too early")
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if self._peek() != token:
            raise self._error(f"lacks a {token!r}")
        self._at += 1

    def _error(self, what: str) -> UsageError:
        return UsageError(
            f"the type {self._text!r} {what}",
            advice="write it like long, decimal(12,4), array<string> or struct<a:long,b:string>",
        )

    def _unknown(self, name: str) -> UsageError:
        known = sorted(PRIMITIVES | set(_ALIASES) | {"decimal", "array", "map", "struct"})
        near = difflib.get_close_matches(name, known, n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"types are {', '.join(known)}"
        return UsageError(f"the type {self._text!r} names {name!r}, which is no type", advice=advice)
