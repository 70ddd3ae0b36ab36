"""Statistics that a checkpoint holds as columns (``stats_parsed``), as the JSON that the rest of the log has.

Delta protocol, sections "Checkpoints" (``stats_parsed``) and "Per-file Statistics".
"""

from __future__ import annotations

from uuid import uuid4

import polars as pl
import pyarrow as pa
from polars.datatypes import DataTypeClass


def stats_to_json(column: pa.ChunkedArray) -> list[str | None]:
    """Spell parsed statistics as JSON, for all rows at once.

    Args:
        column: The ``stats_parsed`` structs.

    Returns:
        For each row its ``stats`` text, or None. Times are ISO 8601; decimals are numbers with all digits.
    """
    found = pl.from_arrow(column)
    if not isinstance(found, pl.Series) or not isinstance(found.dtype, pl.Struct) or found.len() == 0:
        return [None] * len(column)
    # Polars spells decimals as JSON texts; a mark that no text can hold tells them from real texts.
    mark = f"decimal:{uuid4().hex}:"
    spelled = found.to_frame("stats").select(_spell(pl.col("stats"), found.dtype, mark))
    texts = spelled.to_series().struct.json_encode()
    texts = texts.str.replace_all(rf'"{mark}(-?[0-9.]+)"', "${1}")
    present = (
        found.is_not_null()
        if "numRecords" not in found.struct.fields
        else found.struct["numRecords"].is_not_null()
    )
    return texts.set(~present, None).to_list()


def _spell(value: pl.Expr, dtype: pl.DataType, mark: str) -> pl.Expr:
    match dtype:
        case pl.Struct():
            fields = [item for item in dtype.fields if item.dtype != pl.Binary]
            parts = [
                _spell(value.struct.field(f.name), _instance(f.dtype), mark).alias(f.name) for f in fields
            ]
            return pl.struct(parts) if parts else pl.lit(None)
        case pl.Decimal():
            return pl.lit(mark) + value.cast(pl.String)
        case pl.Datetime(time_zone=None):
            return value.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
        case pl.Datetime():
            return value.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
        case _:
            return value


def _instance(dtype: pl.DataType | DataTypeClass) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype
