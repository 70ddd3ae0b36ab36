"""Tables made from others: whoever has rows in those needs rules for them too."""

from __future__ import annotations

import pytest

from .conftest import Load, Problems

_CONFIG = """\
version: 1
tables:
  customers: {key: [id]}
  orders: {key: [oid]}
  sums: {derived_from: %s}
subjects:
  customer:
    identifiers: {id: customers.id}
    rows:
      - {table: orders, where: {customer_id: id}, do: delete}
%s"""
_RULE = "      - {table: sums, where: {customer_id: id}, do: keep, ground: tax law}\n"


@pytest.mark.parametrize("source", ["customers", "orders"])
def test_people_of_the_sources_are_not_forgotten(load: Load, problems: Problems, source: str) -> None:
    (problem,) = problems(_CONFIG % (source, ""))
    assert (problem.path, problem.line) == ("tables.sums.derived_from", 5)
    assert f"people of `customer` are in `{source}`" in problem.message
    assert "`subjects.customer.rows`" in problem.message
    assert load(_CONFIG % (source, _RULE)).tables["sums"].derived_from == (source,)


@pytest.mark.parametrize(
    ("sources", "message"),
    [("[customer]", "did you mean `customers`?"), ("[sums]", "`sums` can't be made from itself")],
)
def test_what_it_is_made_from_is_there(problems: Problems, sources: str, message: str) -> None:
    (problem,) = problems(_CONFIG % (sources, _RULE))
    assert problem.path == "tables.sums.derived_from[0]"
    assert message in problem.message
