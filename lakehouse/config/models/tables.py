"""Tables: ``tables.<name>``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from lakehouse.config.models.base import KIND, ColumnType, Duration, Flag, Model, Name, Names, RuleError, Text
from lakehouse.config.models.changes import ChangesConfig, HistoryConfig
from lakehouse.config.models.entities import Entities
from lakehouse.config.models.retention import RetentionRule


class ColumnPii(Model):
    """What personal data a column holds."""

    entities: Entities = Field(
        alias="entity",
        description="The kind, or kinds, of personal data in it, as Presidio or your recognizers name them.",
    )
    text: Flag | None = Field(
        default=None,
        description=(
            "true: a free text in which the data is found and masked where it stands; false: the whole value "
            "is masked. Without it true where there are several kinds."
        ),
    )
    shred: Name | None = Field(
        default=None,
        description=(
            "Store the column under a key of each subject of this name, told by its first identifier; "
            "erasing destroys the key."
        ),
    )

    @model_validator(mode="before")
    @classmethod
    def _from_names(cls, data: object) -> object:
        return {"entity": data} if isinstance(data, str | list | tuple) else data

    @model_serializer(mode="wrap")
    def _as_names(self, handler: SerializerFunctionWrapHandler) -> Any:
        entities = self.entities[0] if len(self.entities) == 1 else list(self.entities)
        more = {
            name: value
            for name, value in handler(self).items()
            if value is not None and name not in {"entity", "entities"}
        }
        return {"entity": entities, **more} if more else entities

    @property
    def is_text(self) -> bool:
        """Whether the data is found and masked inside of texts, and not as whole values."""
        return len(self.entities) > 1 if self.text is None else self.text

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        full = handler(core_schema)
        names = [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
        return {
            "anyOf": [*names, full],
            "description": full.get("description", ""),
            KIND: "entity or entities",
        }


class Expectation(Model):
    """Something that should hold for the rows of a batch, or for the table."""

    name: Name = Field(description="What results and metrics call it.")
    check: Name | None = Field(
        default=None, description="A SQL condition over the table's columns that should hold for every row."
    )
    freshness: Duration | None = Field(
        default=None, description="How old the newest data of the table may be."
    )
    on_fail: Literal["warn", "drop", "quarantine", "fail"] = Field(
        default="warn",
        description=(
            "warn: counted and said; drop: the row is left out; quarantine: the row is set aside; fail: the "
            "batch is refused."
        ),
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Expectation:
        if (self.check is None) == (self.freshness is None):
            raise RuleError("needs `check` (a SQL condition) or `freshness` (a duration), and not both")
        if self.freshness is not None and self.on_fail in {"drop", "quarantine"}:
            raise RuleError(
                f"`{self.on_fail}` is for rows; with `freshness` write `warn` or `fail`", at="on_fail"
            )
        return self


class CompactConfig(Model):
    """How small files are put together."""

    after: int | None = Field(
        default=None,
        ge=2,
        description=(
            "Merges put small files together as soon as a partition has more of them than this. Without it "
            "only `lakehouse compact` does."
        ),
    )
    cluster_by: Names = Field(
        default=(),
        description=(
            "The columns by which rows lie together in compacted files, so that reads and merges of "
            "neighbouring rows open few of them. Without it the key."
        ),
    )


class TableConfig(Model):
    """One table."""

    description: Text = Field(default="", description="What a row is; shown with the table and stored in it.")
    owner: Text = Field(default="", description="Who answers for the table.")
    tags: Names = Field(default=(), description="Words to find the table by.")
    derived_from: Names = Field(
        default=(),
        description=(
            "The tables from which this one is made, by something else than merges. Each kind of person that "
            "has rows there needs rules for this one in `subjects` too."
        ),
    )
    key: Names = Field(
        default=(),
        description="The columns that make a row one and the same. Merges, and full history, need it.",
    )
    partition_by: Names = Field(
        default=(),
        description="Columns whose values split the table into folders: few values, many rows each.",
    )
    column_schema: dict[Name, ColumnType] | None = Field(
        default=None,
        alias="schema",
        min_length=1,
        description=(
            "Columns and their types: `string`, `long`, `integer`, `short`, `byte`, `double`, `float`, "
            "`decimal(p,s)`, `boolean`, `binary`, `date`, `timestamp`, `timestamp_ntz`, `array<...>`, "
            "`map<...,...>`, `struct<name:type,...>`. Without it the first batch decides."
        ),
    )
    changes: ChangesConfig = Field(
        default_factory=ChangesConfig,
        description="How change events for the table look and behave.",
    )
    history: HistoryConfig = Field(
        default_factory=HistoryConfig,
        description="none: current rows; full: every version of a row; or a section with `mode` and `track`.",
    )
    change_feed: Flag = Field(
        default=False,
        description="Whether to write Delta's change data feed, so that readers can follow the changes.",
    )
    merge: Literal["auto", "on_read", "on_write"] = Field(
        default="auto",
        description=(
            "on_read: old rows are marked (deletion vectors), files stay; on_write: files are rewritten, for "
            "readers that know no vectors; auto: marks, and rewrites files that are mostly dead."
        ),
    )
    compact: CompactConfig = Field(
        default_factory=CompactConfig,
        description="How small files are put together, after merges and by `lakehouse compact`.",
    )
    pii: dict[Name, ColumnPii] = Field(
        default_factory=dict, description="Columns with personal data, and of which kind."
    )
    mask_at: Literal["read", "merge"] | None = Field(
        default=None,
        description=(
            "Where the columns of `pii` are masked. read: rows are stored as they come, and masked for roles "
            "and in masked copies; merge: rows are masked on their way in, so that the table never holds "
            "clear values. Without it as `pii.mask_at` of the lake says."
        ),
    )
    expect: tuple[Expectation, ...] = Field(
        default=(), description="What should hold for the rows, or for the table."
    )
    retention: tuple[RetentionRule, ...] = Field(
        default=(), description="What is kept, for how long, and what happens after."
    )
