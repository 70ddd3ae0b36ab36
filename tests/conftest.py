"""Fixtures for all tests: real servers on loopback."""

from __future__ import annotations

pytest_plugins = [
    "tests.fixtures.servers",
    "tests.fixtures.vault",
    "tests.fixtures.sail",
    "tests.fixtures.postgres",
    "tests.fixtures.presidio",
]
