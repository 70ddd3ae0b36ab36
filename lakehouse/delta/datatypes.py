"""The data types of a Delta table, as plain values.

The names and the JSON form follow the Delta protocol, section "Schema Serialization Format". Types
that are not known here are kept as they were written (`OpaqueType`), so that a schema survives being
read and written again even where one of its columns can't be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import orjson

from lakehouse.errors import UsageError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

COLUMN_ID: Final = "delta.columnMapping.id"
PHYSICAL_NAME: Final = "delta.columnMapping.physicalName"
GENERATION_EXPRESSION: Final = "delta.generationExpression"
INVARIANTS: Final = "delta.invariants"
TYPE_CHANGES: Final = "delta.typeChanges"
CURRENT_DEFAULT: Final = "CURRENT_DEFAULT"
CHAR_VARCHAR: Final = "__CHAR_VARCHAR_TYPE_STRING"


@dataclass(frozen=True, slots=True)
class PrimitiveType:
    """A type without parts, known by its Delta name.

    Args:
        name: One of ``string long integer short byte float double boolean binary date timestamp
            timestamp_ntz void variant``.
    """

    name: str


@dataclass(frozen=True, slots=True)
class DecimalType:
    """A signed decimal number of fixed width.

    Args:
        precision: All digits, 1 to 38.
        scale: Digits right of the dot, 0 to ``precision``.
    """

    precision: int
    scale: int


@dataclass(frozen=True, slots=True)
class ArrayType:
    """A list of values of one type.

    Args:
        element: The type of the values.
        contains_null: Whether a value can be null.
    """

    element: DataType
    contains_null: bool = True


@dataclass(frozen=True, slots=True)
class MapType:
    """Keys with values.

    Args:
        key: The type of the keys, which are never null.
        value: The type of the values.
        value_contains_null: Whether a value can be null.
    """

    key: DataType
    value: DataType
    value_contains_null: bool = True


@dataclass(frozen=True, slots=True)
class OpaqueType:
    """A type that this release does not know, kept as it stands in the log.

    Args:
        definition: Its JSON, as text.
    """

    definition: str


@dataclass(frozen=True, slots=True)
class StructField:
    """One column, or one field of a nested struct.

    Args:
        name: The display name.
        type: The data type.
        nullable: Whether the value can be null.
        metadata: What the log says about the column (Delta protocol, section "Column Metadata"):
            column mapping, generation expression, invariants, default, and whatever else was there.
    """

    name: str
    type: DataType
    nullable: bool = True
    metadata: Mapping[str, Json] = field(default_factory=dict)

    @property
    def physical_name(self) -> str:
        """The name in data files, statistics and partition values where column mapping is on.

        The display name where the field carries none. Only to be used where the table's mapping mode
        is ``id`` or ``name`` (Delta protocol, section "Column Mapping").
        """
        name = self.metadata.get(PHYSICAL_NAME)
        return name if isinstance(name, str) else self.name

    @property
    def column_id(self) -> int | None:
        """The column mapping id (the Parquet ``field_id``), if the field carries one."""
        number = self.metadata.get(COLUMN_ID)
        return number if isinstance(number, int) and not isinstance(number, bool) else None

    @property
    def generation_expression(self) -> str | None:
        """The SQL text of a generated column (Delta protocol, section "Generated Columns")."""
        return self._text(GENERATION_EXPRESSION)

    @property
    def default_expression(self) -> str | None:
        """The SQL text of the column's default (Delta protocol, section "Default Columns")."""
        return self._text(CURRENT_DEFAULT)

    @property
    def char_varchar(self) -> str | None:
        """``char(n)`` or ``varchar(n)`` where the column was declared so; the type itself is string."""
        return self._text(CHAR_VARCHAR)

    @property
    def invariant(self) -> str | None:
        """The SQL text that every row must satisfy (Delta protocol, section "Column Invariants")."""
        text = self._text(INVARIANTS)
        if text is None:
            return None
        try:
            found = orjson.loads(text)["expression"]["expression"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return text
        return found if isinstance(found, str) else text

    def _text(self, key: str) -> str | None:
        value = self.metadata.get(key)
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class StructType:
    """An ordered list of fields: a table's schema, or a nested struct.

    Args:
        fields: The fields, in order. Names are unique regardless of case.
    """

    fields: tuple[StructField, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The display names, in order."""
        return tuple(item.name for item in self.fields)

    def __iter__(self) -> Iterator[StructField]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __contains__(self, name: object) -> bool:
        return any(item.name == name for item in self.fields)

    def get(self, name: str) -> StructField | None:
        """The field of exactly that display name, or None.

        Args:
            name: Display name, case-sensitive.

        Returns:
            The field, or None.
        """
        return next((item for item in self.fields if item.name == name), None)

    def field(self, name: str) -> StructField:
        """The field of exactly that display name.

        Args:
            name: Display name, case-sensitive.

        Returns:
            The field.

        Raises:
            UsageError: There is no such column.
        """
        found = self.get(name)
        if found is None:
            raise UsageError(f"there is no column {name!r}", advice=f"columns are {', '.join(self.names)}")
        return found

    def select(self, names: Sequence[str]) -> StructType:
        """The named fields only, in the order asked for.

        Args:
            names: Display names.

        Returns:
            A smaller schema.

        Raises:
            UsageError: A name is not a column.
        """
        return StructType(tuple(self.field(name) for name in names))

    def without(self, names: Sequence[str]) -> StructType:
        """All fields but the named ones.

        Args:
            names: Display names; those that are no columns are ignored.

        Returns:
            A smaller schema.
        """
        gone = frozenset(names)
        return StructType(tuple(item for item in self.fields if item.name not in gone))

    def append(self, added: Sequence[StructField]) -> StructType:
        """The same fields followed by more.

        Args:
            added: New fields.

        Returns:
            A larger schema.

        Raises:
            UsageError: A name is there already, regardless of case.
        """
        known = {name.lower() for name in self.names}
        for item in added:
            if item.name.lower() in known:
                raise UsageError(
                    f"a column named {item.name!r} is there already (names differ by more than case)"
                )
            known.add(item.name.lower())
        return StructType(self.fields + tuple(added))

    def with_type(self, name: str, data_type: DataType) -> StructType:
        """The same fields, one of them with another type.

        Args:
            name: Display name of the column.
            data_type: Its new type.

        Returns:
            The changed schema.

        Raises:
            UsageError: There is no such column.
        """
        changed = replace(self.field(name), type=data_type)
        return StructType(tuple(changed if item.name == name else item for item in self.fields))

    def to_json(self) -> str:
        """The schema as the ``schemaString`` of a ``metaData`` action.

        Returns:
            Compact JSON (Delta protocol, section "Schema Serialization Format").
        """
        return orjson.dumps(type_to_json(self)).decode()


DataType: TypeAlias = PrimitiveType | DecimalType | ArrayType | MapType | StructType | OpaqueType

STRING = PrimitiveType("string")
LONG = PrimitiveType("long")
INTEGER = PrimitiveType("integer")
SHORT = PrimitiveType("short")
BYTE = PrimitiveType("byte")
FLOAT = PrimitiveType("float")
DOUBLE = PrimitiveType("double")
BOOLEAN = PrimitiveType("boolean")
BINARY = PrimitiveType("binary")
DATE = PrimitiveType("date")
TIMESTAMP = PrimitiveType("timestamp")
TIMESTAMP_NTZ = PrimitiveType("timestamp_ntz")
VOID = PrimitiveType("void")
VARIANT = PrimitiveType("variant")

_NUMBERS: Final = (LONG, INTEGER, SHORT, BYTE, FLOAT, DOUBLE)
_OTHERS: Final = (STRING, BOOLEAN, BINARY, DATE, TIMESTAMP, TIMESTAMP_NTZ, VOID, VARIANT)
PRIMITIVES: Final = frozenset(item.name for item in (*_NUMBERS, *_OTHERS))


def type_to_json(data_type: DataType) -> Json:
    """A type in the JSON form of the log.

    Args:
        data_type: Any type.

    Returns:
        A name or an object, ready to be serialised.
    """
    match data_type:
        case PrimitiveType(name):
            return name
        case DecimalType(precision, scale):
            return f"decimal({precision},{scale})"
        case ArrayType(element, contains_null):
            return {"type": "array", "elementType": type_to_json(element), "containsNull": contains_null}
        case MapType(key, value, value_contains_null):
            return {
                "type": "map",
                "keyType": type_to_json(key),
                "valueType": type_to_json(value),
                "valueContainsNull": value_contains_null,
            }
        case StructType(fields):
            return {"type": "struct", "fields": [_field_to_json(item) for item in fields]}
        case OpaqueType(definition):
            unknown: Json = orjson.loads(definition)
            return unknown


def walk(data_type: DataType) -> Iterator[DataType]:
    """A type and everything inside it, outermost first.

    Args:
        data_type: Any type.

    Yields:
        Each type in the tree.
    """
    yield data_type
    match data_type:
        case ArrayType(element, _):
            yield from walk(element)
        case MapType(key, value, _):
            yield from walk(key)
            yield from walk(value)
        case StructType(fields):
            for item in fields:
                yield from walk(item.type)
        case _:
            return


def all_fields(data_type: DataType) -> Iterator[StructField]:
    """All fields of a type, nested ones too, outermost first.

    Args:
        data_type: Any type, such as a table's schema.

    Yields:
        Each field.
    """
    for part in walk(data_type):
        if isinstance(part, StructType):
            yield from part.fields


def _field_to_json(item: StructField) -> Json:
    return {
        "name": item.name,
        "type": type_to_json(item.type),
        "nullable": item.nullable,
        "metadata": dict(item.metadata),
    }
