"""Options of the store: each must be one that the storage library knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lakehouse.config.models import Config
from lakehouse.config.models.store_options import STORE_OPTIONS
from lakehouse.config.nearest import suggestion
from lakehouse.config.references.lookup import Finding

# Other tools call the same options so.
_PREFIX: Final = re.compile(r"(aws|google|azure_storage|azure)_", re.IGNORECASE)
_OTHER_NAMES: Final = {"endpoint": "endpoint_url", "aws_endpoint": "endpoint_url"}


def store_findings(config: Config) -> Iterator[Finding]:
    """Looks for options that no store has.

    Args:
        config: The config, perhaps without parts that are wrong.

    Yields:
        A finding for each, with the nearest option.
    """
    for name in config.storage.options:
        if name not in STORE_OPTIONS:
            meant = _OTHER_NAMES.get(name.lower(), _PREFIX.sub("", name))
            near = suggestion(meant, STORE_OPTIONS, what="options")
            yield Finding(("storage", "options", name), f"unknown option `{name}`{near}", on_key=True)
