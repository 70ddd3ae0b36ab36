from __future__ import annotations

import pytest


@pytest.fixture(params=["auto", "on_read", "on_write"])
def mode(request: pytest.FixtureRequest) -> str:
    """Each way in which a merge takes rows out."""
    found: str = request.param
    return found
