"""The process that runs jobs unattended, and what it logs: ``daemon`` and ``logs``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from lakehouse.config.models.base import KIND, Count, Duration, Model

_ADDRESS: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/]*):(?P<port>[0-9]{1,5})")


def _listen(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected an address such as 127.0.0.1:9464, or nothing for none")
    text = str(value).strip()
    found = _ADDRESS.fullmatch(text)
    if text and (found is None or int(found["port"]) > 65535):
        raise ValueError("is no address: write a host and a port as 127.0.0.1:9464, or nothing for none")
    return text


Address = Annotated[str, PlainValidator(_listen), WithJsonSchema({"type": "string", KIND: "host:port"})]


class DaemonConfig(Model):
    """The process that runs the jobs: `lakehouse daemon`."""

    workers: Annotated[Count, Field(ge=1, le=64)] = Field(
        default=2, description="How many runs go on at once on this host, each in a process of its own."
    )
    listen: Address = Field(
        default="127.0.0.1:9464",
        description="Where `/healthz`, `/readyz` and `/metrics` are served; empty: nowhere.",
    )
    drain: Duration = Field(
        default=timedelta(seconds=30),
        description="How long runs may go on when the daemon ends, before they are handed over to another.",
    )
    grace: Duration = Field(
        default=timedelta(seconds=30),
        description="How long a run that was asked to end may take to do so before its process is killed.",
    )


class LogsConfig(Model):
    """What the daemon logs on standard error. Never personal data."""

    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="auto: for people on a terminal, JSON lines otherwise."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What is less than this is left out."
    )
