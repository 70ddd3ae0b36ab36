"""Where lineage goes: ``lineage``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field, PlainValidator, SecretStr, WithJsonSchema

from lakehouse.config.models.base import KIND, SHOWN, Duration, Model, Text
from lakehouse.config.secrets import SecretUrl, mask_url

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


class Destination(SecretUrl):
    """A file or a URL; a URL's password, and secret parameters, are never shown."""

    def _display(self) -> str:
        value = self.get_secret_value()
        return mask_url(value) if self.is_url else value

    @property
    def is_url(self) -> bool:
        """Whether it is a URL."""
        return "://" in self.get_secret_value()


def _destination(value: object) -> Destination:
    if isinstance(value, Destination):
        return value
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected a file or an http(s) URL")
    found = _SCHEME.match(value)
    if found is not None and found.group(1).lower() not in {"http", "https"}:
        raise ValueError(f"events go to a file or to an http(s) URL, not to {found.group(1)}://")
    return Destination(str(value))


def _secret(value: object) -> SecretStr:
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str):
        raise ValueError("expected a text")
    return SecretStr(str(value))


class LineageConfig(Model):
    """Where OpenLineage events of runs go."""

    to: Annotated[
        Destination,
        PlainValidator(_destination),
        SHOWN,
        WithJsonSchema({"type": "string", KIND: "file or URL"}),
    ] = Field(
        description=(
            "A file, to which events are added as lines of JSON, or an http(s) URL: one without a path gets "
            "OpenLineage's own, `/api/v1/lineage`. A relative file is meant from the config file."
        )
    )
    api_key: Annotated[
        SecretStr | None,
        PlainValidator(_secret),
        SHOWN,
        WithJsonSchema({"type": "string", "writeOnly": True, KIND: "secret"}),
    ] = Field(default=None, description="Sent with each event as a bearer token; from a variable.")
    namespace: Text = Field(default="", description="The namespace of the jobs; without it, the lake's name.")
    timeout: Duration = Field(
        default=timedelta(seconds=5), description="How long an event may take to be sent."
    )
