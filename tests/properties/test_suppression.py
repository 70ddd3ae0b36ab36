"""A table from which people were erased is, after any batches, as if their records had never come."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse.config.models import TableConfig
from lakehouse.requests.suppression.batches import Keeper
from lakehouse.requests.suppression.conditions import Condition
from lakehouse.storage import open_storage
from lakehouse.table import Table
from tests.properties.tables import NAME, records
from tests.unit.requests.suppression.test_recognising import List

PEOPLE = range(4)
CONDITIONS = tuple(
    Condition(subject="customer", where=((column, identifier),), do="delete")
    for column, identifier in (("id", "id"), ("email", "email"))
)
SHAPES: dict[str, dict[str, Any]] = {
    "rows": {},
    "rows in order": {"changes": {"sequence": "seq"}},
    "versions": {"changes": {"sequence": "seq"}, "history": "full"},
    "picture": {"changes": {"format": "snapshot"}},
}

record = st.fixed_dictionaries(
    {"id": st.sampled_from(PEOPLE), "seq": st.integers(0, 9)},
    optional={"v": st.integers(0, 2), "_op": st.just("delete"), "email": st.just("own")},
)


class Erased:
    """Keeps some people out of a table."""

    def __init__(self, people: frozenset[int]) -> None:
        entries = [(name, f"{who}{tail}", f"r{who}", 1) for who in people for name, tail in _IDENTIFIERS]
        self._list = List(*entries)

    def of_merge(self) -> Keeper:
        return Keeper(conditions=CONDITIONS, listed=self._list)  # type: ignore[arg-type]

    def of_rows(self) -> Any:
        raise NotImplementedError

    def before(self) -> tuple[str, ...]:
        return ("id", "email")


_IDENTIFIERS = (("id", ""), ("email", "@shop.example"))


def as_sent(item: dict[str, Any], shape: str) -> dict[str, Any]:
    sent = dict(item)
    if "email" in sent:
        sent["email"] = f"{sent['id']}@shop.example"
    if shape == "picture":
        sent.pop("_op", None)
    return sent


def opened(root: Path, shape: str, people: frozenset[int]) -> Table:
    lake = open_storage(root, options={"fsync": "false"})
    schema = {"id": "long", "email": "string", "v": "long", "seq": "long"}
    config = TableConfig.model_validate({"key": ["id"], "schema": schema, **SHAPES[shape]})
    suppression = Erased(people) if people else None
    return Table(name=NAME, config=config, storage=lake.child(NAME), lake=lake, suppression=suppression)


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    shape=st.sampled_from(list(SHAPES)),
    batches=st.lists(st.lists(record, min_size=1, max_size=6), min_size=1, max_size=4),
    erased=st.frozensets(st.sampled_from(PEOPLE), min_size=1),
)
def test_erased_people_might_never_have_been_sent(
    shape: str, batches: list[list[dict[str, Any]]], erased: frozenset[int]
) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        table, model = opened(Path(one), shape, erased), opened(Path(other), shape, frozenset())
        for batch in batches:
            sent = [as_sent(each, shape) for each in batch]
            left = [each for each in sent if each["id"] not in erased]
            result = table.merge(sent, allow_deletes=True)
            assert result.suppressed == len(sent) - len(left)
            assert result.total == len(sent) + result.deleted * (shape == "picture")
            if left or shape == "picture":
                model.merge(left, allow_deletes=True)
        assert table.exists()
        assert records(table.read()) == (records(model.read()) if model.exists() else [])
