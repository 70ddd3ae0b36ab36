"""The shape of the config: which keys belong where, as the models say."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from lakehouse.config.document import Steps, show_path
from lakehouse.config.models import Config, Model


def keys_at(way: Steps) -> tuple[str, ...]:
    """The keys that a section knows.

    Args:
        way: Keys and positions that lead to the section.

    Returns:
        The keys; none where the way leads to no section with fixed keys.
    """
    model = _model_at(way)
    return tuple(keys_of(model)) if model is not None else ()


def keys_of(model: type[Model]) -> dict[str, Any]:
    """The keys of a section with what they take.

    Args:
        model: The section.

    Returns:
        Key, as the file writes it: annotation.
    """
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def homes_of(key: str) -> tuple[str, ...]:
    """The sections that know a key.

    Args:
        key: As the file writes it.

    Returns:
        Their paths, with ``<name>`` for names that are yours; the config itself is "the top level".
    """
    return tuple(
        dict.fromkeys(
            f"`{show_section(way)}`" if way else "the top level"
            for way, model in _sections(Config, ())
            if key in keys_of(model)
        )
    )


def show_section(way: Steps) -> str:
    """Writes the way to a section.

    Args:
        way: Keys; ``<name>`` for names that are yours, ``0`` for an entry of a list.

    Returns:
        Such as ``tables.<name>.retention[]``.
    """
    return show_path(way).replace('"<name>"', "<name>").replace("[0]", "[]")


def _model_at(way: Steps) -> type[Model] | None:
    here: Any = Config
    for step in way:
        here = _inside(here, step)
    return _as_model(here)


def _inside(annotation: Any, step: str | int) -> Any:
    model = _as_model(annotation)
    if model is not None:
        return keys_of(model).get(str(step))
    for option in _options(annotation):
        arguments = get_args(option)
        if get_origin(option) is dict:
            return arguments[1]
        if get_origin(option) is tuple:
            return arguments[0]
    return None


def _options(annotation: Any) -> tuple[Any, ...]:
    """What an annotation allows, without the decoration."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _options(get_args(annotation)[0])
    if origin in {types.UnionType, Union}:
        return tuple(each for option in get_args(annotation) for each in _options(option))
    return (annotation,)


def _as_model(annotation: Any) -> type[Model] | None:
    for option in _options(annotation):
        if isinstance(option, type) and issubclass(option, Model):
            return option
    return None


def _sections(model: type[Model], way: Steps) -> Iterator[tuple[Steps, type[Model]]]:
    yield way, model
    for key, annotation in keys_of(model).items():
        inner, step = annotation, (*way, key)
        while _as_model(inner) is None and (deeper := _deeper(inner)) is not None:
            inner, mark = deeper
            step = (*step, mark)
        found = _as_model(inner)
        if found is not None:
            yield from _sections(found, step)


def _deeper(annotation: Any) -> tuple[Any, str | int] | None:
    for option in _options(annotation):
        if get_origin(option) is dict:
            return get_args(option)[1], "<name>"
        if get_origin(option) is tuple:
            return get_args(option)[0], 0
    return None
