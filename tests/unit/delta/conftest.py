from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.storage import Storage, open_storage


@pytest.fixture(params=["local", "memory"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return open_storage(tmp_path / "a table") if request.param == "local" else open_storage("memory://")
