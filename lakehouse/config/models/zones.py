"""Names of time zones."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import PlainValidator, WithJsonSchema

from lakehouse.config.models.base import KIND, parsed
from lakehouse.config.nearest import nearest


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = available_timezones()
        if not known:
            # A machine without the time zone database can't tell; who computes with the zone will.
            return text
        near = nearest(text, known)
        end = f"; did you mean `{near}`?" if near else ", such as UTC or Europe/Berlin"
        raise ValueError(f"`{text}` is no name of a time zone{end}") from None
    return text


TimeZone = Annotated[
    str,
    PlainValidator(parsed(_zone, example="a time zone such as UTC or Europe/Berlin")),
    WithJsonSchema({"type": "string", KIND: "time zone"}),
]
