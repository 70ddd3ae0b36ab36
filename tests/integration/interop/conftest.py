"""The comparisons of rows say which cells differ."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.integration.interop.engines")
