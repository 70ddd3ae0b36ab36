"""Helpers for the tests of the config: write a file, load it, see its problems."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from lakehouse.config import Config, load_config
from lakehouse.errors import ConfigError, Problem

Load: TypeAlias = Callable[..., Config]
Problems: TypeAlias = Callable[..., tuple[Problem, ...]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Writes a text as lakehouse.yaml and loads it."""

    def load(text: str, *, environ: Mapping[str, str] | None = None) -> Config:
        path = tmp_path / "lakehouse.yaml"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return load_config(path, environ=environ or {})

    return load


@pytest.fixture
def problems(load: Load) -> Problems:
    """Loads a text that must have problems, and gives them."""

    def problems(text: str, *, environ: Mapping[str, str] | None = None) -> tuple[Problem, ...]:
        with pytest.raises(ConfigError) as caught:
            load(text, environ=environ)
        return caught.value.problems

    return problems
