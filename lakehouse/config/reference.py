"""The files that come with the package: the commented reference, the JSON schema; and a short start."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Final

_REFERENCE: Final = "lakehouse.yaml"
_SCHEMA: Final = "lakehouse.schema.json"
_FOLDER: Final = "reference"
_PLAIN_NAME: Final = re.compile(r"[^\W\d_][\w-]*")

_STARTER: Final = """\
# A lake: its place, its tables, how changes arrive.
#   lakehouse config check      finds what is wrong in this file, all of it at once
#   lakehouse init --full       writes the reference with every key explained
{hint}version: 1
name: {name}

storage:
  root: ./lake                  # a folder beside this file, or s3://bucket/prefix
  # options:                    # for a bucket; secrets come from the environment, never from this file
  #   region: eu-central-1
  #   access_key_id: ${{AWS_ACCESS_KEY_ID}}
  #   secret_access_key: ${{AWS_SECRET_ACCESS_KEY}}

tables:
  customers:
    description: One row per customer
    key: [id]                   # what makes a row one and the same
    schema:                     # optional: without it the first merge decides
      id: long
      name: string
      email: string
      updated_at: timestamp
    changes:
      format: rows              # the table's columns, with `_op` where a row is deleted; or debezium
      sequence: updated_at      # orders the changes of a key, however late they arrive
"""


def reference_path() -> Path:
    """Finds the commented reference of the config.

    Returns:
        The file that came with the package; in a checkout, the one in the folder ``config``.
    """
    return _find(_REFERENCE)


def reference_text() -> str:
    """The commented reference of the config: every key, explained.

    Returns:
        YAML, which is itself a config that can be read.
    """
    return reference_path().read_text(encoding="utf-8")


def schema_path() -> Path:
    """Finds the JSON schema of the config.

    Returns:
        The file that came with the package; in a checkout, the one in the folder ``config``.
    """
    return _find(_SCHEMA)


def starter_text(name: str = "my-lake", *, schema: str | None = None) -> str:
    """A short config to start from: one table, and how changes come into it.

    Args:
        name: What the lake is called.
        schema: Where editors find the JSON schema, as a path beside the config or a URL; None leaves it out.

    Returns:
        YAML that can be read as it is.
    """
    hint = f"# yaml-language-server: $schema={schema}\n" if schema else ""
    quoted = (
        name if _PLAIN_NAME.fullmatch(name) else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )
    return _STARTER.format(hint=hint, name=quoted)


def _find(name: str) -> Path:
    packaged = files("lakehouse.config") / _FOLDER / name
    if packaged.is_file():
        return Path(str(packaged))
    return Path(__file__).parents[2] / "config" / name
