"""How change events of a table look and behave: ``changes`` and ``history``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from lakehouse.config.models.base import Duration, Flag, Model, Names, RuleError, Share, Text

ChangeFormat: TypeAlias = Literal["rows", "debezium", "dms", "maxwell", "snapshot"]
SchemaPolicy: TypeAlias = Literal["evolve", "freeze", "discard_columns", "quarantine"]
Widening: TypeAlias = Literal["rewrite", "metadata", "never"]
DecimalMode: TypeAlias = Literal["precise", "string", "double"]
TimeMode: TypeAlias = Literal["adaptive", "microseconds", "isostring", "connect", "nanoseconds"]
BinaryMode: TypeAlias = Literal["bytes", "base64", "base64-url-safe", "hex"]
Encoding: TypeAlias = Literal[
    "epoch_days",
    "epoch_millis",
    "epoch_micros",
    "epoch_nanos",
    "iso",
    "base64",
    "base64_url",
    "hex",
    "decimal_base64",
    "text",
]

UNAVAILABLE: Final = "__debezium_unavailable_value"


class ChangesConfig(Model):
    """How change events of a table look, and what they do."""

    format: ChangeFormat = Field(
        default="rows",
        description=(
            "rows: the table's columns, with `_op` and `_sequence` where wanted; debezium: Debezium's JSON "
            "events; dms: files of AWS DMS; maxwell: Maxwell's JSON; snapshot: the whole table, compared "
            "with what is stored."
        ),
    )
    sequence: Names | None = Field(
        default=None,
        description=(
            "What orders the changes of a key: a column, or several compared one after the other. Without "
            "it, the format's own order, or that of arrival."
        ),
    )
    ignore_null_updates: Flag = Field(
        default=False, description="Whether a null in a change keeps what is stored instead of replacing it."
    )
    schema_policy: SchemaPolicy = Field(
        default="evolve",
        alias="schema",
        description=(
            "What changes with new columns or wider types do: evolve: the table follows; freeze: the batch "
            "is refused; discard_columns: new columns are left out; quarantine: such changes are set aside."
        ),
    )
    widen: Widening = Field(
        default="rewrite",
        description=(
            "What `schema: evolve` does where a value needs a wider type (integer to long, float to double, "
            "more decimal digits, date to timestamp_ntz): rewrite: all files are written anew in that type, "
            "which every reader understands; metadata: files stay and the table tells of the change (the "
            "feature typeWidening, which delta-rs and Polars can't read yet); never: such records are "
            "rejected."
        ),
    )
    tombstones: Duration = Field(
        default=timedelta(days=7),
        description="How long a deleted key stays deleted against older changes that arrive late.",
    )
    max_deletes: Share = Field(
        default=0.5,
        description=(
            "snapshot: the largest share of the stored rows that a full picture may lack, from 0 to 1. More "
            "is refused, as the picture may be cut off."
        ),
    )
    decimals: DecimalMode = Field(
        default="precise",
        description="Debezium's `decimal.handling.mode`: how decimal numbers stand in the events.",
    )
    times: TimeMode = Field(
        default="adaptive",
        description="Debezium's `time.precision.mode`: how dates and times stand in the events.",
    )
    binary: BinaryMode = Field(
        default="bytes",
        description=(
            "Debezium's `binary.handling.mode`: how bytes stand in the events (bytes is base64 in JSON)."
        ),
    )
    encodings: dict[str, Encoding] = Field(
        default_factory=dict,
        description="How single columns stand in the events, where the modes above don't tell.",
    )
    unavailable_value: Text = Field(
        default=UNAVAILABLE,
        description=(
            "Debezium's `unavailable.value.placeholder`: stands for a large value that did not change; what "
            "is stored is kept."
        ),
    )


class HistoryConfig(Model):
    """Whether the table keeps every version of its rows."""

    mode: Literal["none", "full"] = Field(
        default="none",
        description="none: the current rows; full: every version of a row, with its times (SCD 2).",
    )
    track: Names | None = Field(
        default=None, description="Only a change in these columns opens a new version."
    )
    track_except: Names | None = Field(
        default=None, description="A change in these columns alone opens no new version."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, data: object) -> object:
        return {"mode": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _one_way(self) -> HistoryConfig:
        if self.track is not None and self.track_except is not None:
            raise RuleError(
                "`track` and `track_except` exclude each other: give one of them", at="track_except"
            )
        given = "track" if self.track is not None else "track_except"
        if self.mode == "none" and (self.track is not None or self.track_except is not None):
            raise RuleError(f"`{given}` needs `mode: full`", at=given)
        return self

    @model_serializer(mode="wrap")
    def _as_word(self, handler: SerializerFunctionWrapHandler) -> Any:
        return self.mode if self.track is None and self.track_except is None else handler(self)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        full = handler(core_schema)
        return {"anyOf": [{"enum": ["none", "full"]}, full], "description": full.get("description", "")}
