"""Reads a config: from a YAML file, or from a mapping. All problems are told at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from itertools import chain
from pathlib import Path, PurePath
from typing import Any, Final

from lakehouse.config.checking import check_models, original_way
from lakehouse.config.document import Document, Place, Steps, show_path
from lakehouse.config.literals import written_secrets
from lakehouse.config.models import Config
from lakehouse.config.references import Finding, check_references
from lakehouse.config.variables import Expanded, expand
from lakehouse.config.yaml_source import place_in, read_yaml
from lakehouse.errors import ConfigError, Problem, UsageError

VERSION: Final = 1
_MAPPING_NAME: Final = "config"
_START: Final = "`lakehouse init` writes a config to start from"


def load_config(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    environ: Mapping[str, str] | None = None,
    further: Callable[[Config], Iterable[Finding]] | None = None,
) -> Config:
    """Reads a config and checks all of it.

    Args:
        source: A YAML file, or a mapping of the same keys. Relative paths are meant from the file, or from
            the current folder for a mapping.
        environ: What ``${NAME}`` stands for; the process's environment if not given.
        further: Finds more that is wrong, as only rooms above the config can.

    Returns:
        The config, with absolute paths and defaults filled in.

    Raises:
        ConfigError: It has problems, or can't be read; all of them, in the order of the file.
        UsageError: `source` is neither a path nor a mapping.
    """
    if isinstance(source, Mapping):
        document = _from_mapping(source)
    elif isinstance(source, str | os.PathLike):
        document = _from_file(os.fsdecode(source))
    else:
        raise UsageError(
            f"a config is a path or a mapping, not a {type(source).__name__}",
            advice="give the path of a YAML file, or a dict of its keys",
        )
    config = _check(document, os.environ if environ is None else environ, further)
    if config is None or document.problems:
        ordered = sorted(document.problems, key=lambda problem: (problem.line, problem.column))
        # Without its cause, which could show values.
        raise ConfigError(ordered) from None
    return config.placed(base_dir=document.base_dir, source=document.source)


def _from_file(name: str) -> Document:
    path = Path(name)
    document = Document(name=name, source=name, base_dir=path.absolute().parent)
    text = _decoded(_bytes_of(path, name), name)
    read_yaml(text, document)
    if document.data is None and not document.problems:
        raise _single(name, "the file is empty", advice=_START)
    if document.data is not None and not isinstance(document.data, dict):
        document.report_at(Place(1, 1), "a config begins with keys, as `version: 1` and `tables:`")
        document.data = None
    if document.data is not None:
        document.problems.extend(
            Problem(name, place.line, place.column, path, message)
            for place, path, message in written_secrets(document)
        )
    return document


def _bytes_of(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise _single(name, "there is no such file", advice=_START) from None
    except IsADirectoryError:
        inside = path / "lakehouse.yaml"
        advice = f"did you mean {inside}?" if inside.is_file() else "name the YAML file in it"
        raise _single(name, "is a folder, not a file", advice=advice) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "is no path"
        raise _single(name, f"can't be read: {reason}") from None


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", errors="replace")
        place = place_in(before, len(before))
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ConfigError([Problem(name, place.line, place.column, "", message)]) from None


def _single(name: str, message: str, *, advice: str = "") -> ConfigError:
    return ConfigError([Problem(name, 0, 0, "", message)], advice=advice)


def _from_mapping(source: Mapping[Any, Any]) -> Document:
    document = Document(name=_MAPPING_NAME, source="", base_dir=Path.cwd())
    document.data = _copied(source, document, ())
    return document


def _copied(value: object, document: Document, way: Steps) -> Any:
    """A deep copy in the types that YAML has; other objects stay what they are."""
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                document.report_at(Place(), f"a key in `{way[-1] if way else 'the config'}` is no text")
        return {
            key: _copied(each, document, (*way, key)) for key, each in value.items() if isinstance(key, str)
        }
    if isinstance(value, list | tuple):
        return [_copied(each, document, (*way, at)) for at, each in enumerate(value)]
    if isinstance(value, PurePath):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value


def _check(
    document: Document,
    environ: Mapping[str, str],
    further: Callable[[Config], Iterable[Finding]] | None,
) -> Config | None:
    if document.data is None:
        return None
    document.data = _expanded(document.data, document, environ, ())
    version = document.data.get("version")
    if isinstance(version, Expanded) and version.isdecimal():
        document.data["version"] = version = int(version)
    if isinstance(version, int) and not isinstance(version, bool) and version != VERSION:
        # Nothing else can be said about a format that is not known.
        document.problems.clear()
        document.report(("version",), f"the format {version} is not known; this release reads {VERSION}")
        return None
    if isinstance(version, bool | float):
        document.report(("version",), f"expected the number {VERSION}")
        document.data["version"] = VERSION
    if version is None:
        document.report((), "`version` is missing; begin with `version: 1`")
        document.data["version"] = VERSION
    checked = check_models(document)
    if checked.config is not None:
        # Of a secret that is written out under an unknown name, say, the first is enough.
        told = {problem.path for problem in document.problems}
        more = () if further is None else further(checked.config)
        for finding in chain(check_references(checked.config, document.data), more):
            way = original_way(finding.way, document.data, checked.broken)
            if show_path(way) not in told:
                document.report(way, finding.message, on_key=finding.on_key)
    return checked.config


def _expanded(value: Any, document: Document, environ: Mapping[str, str], way: Steps) -> Any:
    """The same values with variables replaced."""
    if isinstance(value, dict):
        return {key: _expanded(each, document, environ, (*way, key)) for key, each in value.items()}
    if isinstance(value, list):
        return [_expanded(each, document, environ, (*way, at)) for at, each in enumerate(value)]
    if not isinstance(value, str):
        return value
    text, problems = expand(value, environ)
    for problem in problems:
        document.report(way, problem)
        document.broken.add(way)
    return text
