from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery(
        "tests.faults.children", "tests.faults.purge_work", "tests.faults.request_crowd", "deltalake"
    ) as found:
        yield found
