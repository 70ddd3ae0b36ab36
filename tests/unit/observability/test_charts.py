"""Control charts: what is usual, the four rules, and what is judged by them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.config.models.charts import ChartsConfig
from lakehouse.observability.charts import RULES, Limits, limits_of, signals_at
from lakehouse.observability.charts.chart import Chart, chart_of
from lakehouse.observability.charts.judging import Known, Span, Verdict, follow, judge
from lakehouse.observability.charts.measures import MEASURES, Measure, Role, Sample, samples_of
from lakehouse.observability.charts.settings import Settings, settings_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)
UNIT = Limits(center=0.0, sigma=1.0, points=100)
ALL = tuple(rule.name for rule in RULES)
PLAIN = Measure(name="m", unit="rows", shape="plain", floor=0.0, title="m")
FOUR = Settings(measures=("m",), rules=ALL, baseline=30, min_points=12, recover_after=3)


def samples(values: Sequence[float], *, role: Role = "point") -> list[Sample]:
    return [Sample(place, after(place), value, role) for place, value in enumerate(values)]


def after(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def broken(*values: float) -> list[str]:
    return [each.rule for each in signals_at(values, len(values) - 1, limits=UNIT)]


def judged(values: Sequence[float], *, known: Known = Known(), settings: Settings = FOUR) -> Verdict:  # noqa: B008
    return judge(samples(values), len(values) - 1, measure=PLAIN, settings=settings, known=known)


def test_limits_are_those_of_the_handbook_of_nist() -> None:
    flow = [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]  # its section 6.3.2.2
    found = limits_of(flow)
    assert found.center == pytest.approx(50.81)
    assert found.upper == pytest.approx(55.8041, abs=5e-4)
    assert found.lower == pytest.approx(45.8159, abs=5e-4)
    assert found.sigma * 1.128 == pytest.approx(1.8778, abs=5e-5)
    assert not any(signals_at(flow, at, limits=found) for at in range(len(flow)))


@pytest.mark.parametrize(
    ("values", "rules"),
    [
        ([0, 3.1], ["beyond_3_sigma"]),
        ([0, -3.1], ["beyond_3_sigma"]),
        ([0, 3.0], []),
        ([2.1, 0, 2.1], ["two_of_three_beyond_2_sigma"]),
        ([-2.1, -2.1], []),
        ([0, -2.1, -2.1], ["two_of_three_beyond_2_sigma"]),
        ([2.1, 0, -2.1], []),
        ([2.1, 2.1, 0], []),
        ([1.1, 1.1, 0, 1.1, 1.1], ["four_of_five_beyond_1_sigma"]),
        ([1.1, 1.1, 0, 1.1, 0.9], []),
        ([1.1, 1.1, -1.1, -1.1, 1.1], []),
        ([0.1] * 8, ["eight_on_one_side"]),
        ([-0.1] * 7, []),
        ([0.1] * 7 + [0.0], []),
        ([0.5] * 3 + [1.5] * 3 + [2.5, 3.5], list(ALL)),
    ],
)
def test_the_rules_tell_when_the_last_point_breaks_them(values: list[float], rules: list[str]) -> None:
    assert broken(*values) == rules


def test_only_the_rules_and_sides_that_are_asked_for_are_looked_at() -> None:
    assert signals_at([-9.0] * 8, 7, limits=UNIT, sides=(True,)) == ()
    found = signals_at([9.0] * 8, 7, limits=UNIT, rules=["eight_on_one_side"])
    assert [(each.rule, each.points) for each in found] == [("eight_on_one_side", tuple(range(8)))]
    two = signals_at([9.0, 9.0, 9.0, 0.0], 2, limits=UNIT, rules=["two_of_three_beyond_2_sigma"])
    assert [each.points for each in two] == [(0, 1, 2)]


_FINITE = st.floats(min_value=-1e9, max_value=1e9)


@given(st.lists(_FINITE, min_size=1, max_size=30))
def test_mirrored_points_break_the_same_rules_on_the_other_side(values: list[float]) -> None:
    for at in range(len(values)):
        here = signals_at(values, at, limits=UNIT)
        there = signals_at([-each for each in values], at, limits=UNIT)
        assert [(each.rule, each.points, each.above) for each in here] == [
            (each.rule, each.points, not each.above) for each in there
        ]
        for each in here:
            assert each.points[-1] == at
            assert all((values[place] > 0) == each.above for place in each.points)


@given(st.lists(_FINITE, min_size=2, max_size=50), st.floats(-1e6, 1e6), st.sampled_from([-2.0, 0.5, 3.0]))
def test_limits_move_and_stretch_with_the_points(values: list[float], shift: float, factor: float) -> None:
    found = limits_of(values)
    other = limits_of([each * factor + shift for each in values])
    scale = max(map(abs, values)) * abs(factor) + abs(shift) + 1
    assert other.center == pytest.approx(found.center * factor + shift, abs=scale * 1e-8)
    assert other.sigma == pytest.approx(found.sigma * abs(factor), abs=scale * 1e-8)
    assert found.lower <= found.center <= found.upper


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9, -3.3])
def test_what_never_scattered_is_broken_by_any_other_value(value: float) -> None:
    found = limits_of([value] * 30)
    assert found.sigma == 0
    assert signals_at([value] * 9, 8, limits=found) == ()
    assert broken(*[0.0] * 8) == []
    other = value + max(abs(value), 1) * 0.01
    assert [each.rule for each in signals_at([value, other], 1, limits=found)] == ["beyond_3_sigma"]
    assert limits_of([value] * 30, floor=abs(value) + 1).sigma == abs(value) + 1


def test_false_alarms_come_as_often_as_theory_says() -> None:
    """With known limits one in 370 for the first rule, a run of 91.75 for all (Champ and Woodall, 1987)."""
    chance = random.Random(1956)
    values = [chance.gauss(0, 1) for _ in range(30_000)]
    alone = sum(bool(signals_at(values, at, limits=UNIT, rules=ALL[:1])) for at in range(len(values)))
    assert 60 <= alone <= 105, "81 are expected, 9 is their standard deviation"
    lengths, length = [], 0
    start = 0
    for at in range(len(values)):
        length += 1
        if signals_at(values[start : at + 1], at - start, limits=UNIT):
            lengths.append(length)
            length, start = 0, at + 1
    assert sum(lengths) / len(lengths) == pytest.approx(91.75, rel=0.2)


def test_false_alarms_stay_rare_when_what_is_usual_has_to_be_learned() -> None:
    chance = random.Random(1956)
    values = [chance.gauss(100, 10) for _ in range(3_000)]
    series = samples(values)
    first = Settings(measures=("m",), rules=ALL[:1], baseline=30, min_points=12, recover_after=3)
    found = [
        judge(series[at - 40 : at + 1], 40, measure=PLAIN, settings=first, known=Known())
        for at in range(40, len(values))
    ]
    share = sum(bool(each.signals) for each in found) / len(found)
    assert 0.0005 < share < 0.02, "one in 370 with known limits; more where 30 points have to tell"


@pytest.mark.parametrize(("shift", "most"), [(1.5, 12), (3.0, 4), (5.0, 1)])
def test_a_shift_is_found_soon(shift: float, most: int) -> None:
    delays = []
    for seed in range(30):
        chance = random.Random(seed)
        values = [chance.gauss(0, 1) for _ in range(60)]
        for delay in range(1, 60):
            values.append(chance.gauss(shift, 1))
            if judged(values[-45:]).signals:
                delays.append(delay)
                break
    assert len(delays) == 30
    assert sorted(delays)[15] <= most


def test_too_few_points_are_not_judged() -> None:
    assert judged([1.0] * 12 + [99.0]).signals != ()
    assert judged([1.0] * 11 + [99.0]) == Verdict(limits=None)
    window = Settings(
        measures=("m",), rules=ALL, baseline=timedelta(hours=15), min_points=12, recover_after=3
    )
    found = judged([float(each % 3) for each in range(100)], settings=window).limits
    assert found is not None
    assert found.points == 15
    short = Settings(measures=("m",), rules=ALL, baseline=timedelta(hours=5), min_points=12, recover_after=3)
    assert judged([1.0] * 100 + [99.0], settings=short).limits is None


def test_a_shift_that_has_begun_does_not_move_what_it_is_judged_by() -> None:
    steady = [float(each % 2) for each in range(40)]
    found = judged([*steady, *[0.9] * 7, 0.9]).limits
    assert found == limits_of(steady[-30:])


def test_points_of_known_incidents_are_left_out() -> None:
    values = [float(each % 2) for each in range(30)] + [50.0] * 10 + [float(each % 2) for each in range(10)]
    known = Known(spans=(Span(after(30), after(39)),))
    found = judged([*values, 9.0], known=known)
    assert found.limits is not None
    assert found.limits.center == pytest.approx(0.5)
    assert found.signals
    unaware = judged([*values, 9.0])
    assert unaware.limits is not None
    assert unaware.limits.sigma > found.limits.sigma


def test_an_expected_shift_is_what_is_usual_from_then_on() -> None:
    values = [float(each % 2) for each in range(30)] + [50.0 + each % 2 for each in range(20)]
    known = Known(since=after(30))
    assert judged([*values, 50.5], known=known).signals == ()
    assert judged([*values, 0.5], known=known).signals != ()
    assert judged(values[:38], known=known).limits is None, "not enough of them yet"


def test_an_incident_recovers_when_points_are_calm() -> None:
    usual = limits_of([float(each % 2) for each in range(30)])
    steady, out = [0.5, 0.4, 0.6], [9.0, 9.0]

    def at_end(values: Sequence[float], *, role: Role = "point") -> Verdict:
        series = samples(values)
        series[-1] = Sample(len(values) - 1, after(len(values) - 1), values[-1], role)
        return follow(series, len(series) - 1, limits=usual, measure=PLAIN, settings=FOUR, start=after(0))

    assert at_end(out).calm == 0
    assert at_end([*out, 0.5]).calm == 1
    calm = at_end([*out, *steady])
    assert (calm.calm, calm.last_out, calm.signals) == (3, after(1), ())
    assert at_end([*out, 0.5, 9.0, 0.5]).calm == 1
    assert at_end([*out, 0.5, 0.4, 0.6], role="open").calm == 2, "what can still grow is not known to be well"
    assert at_end([*[0.9] * 8, *[0.9] * 3]).calm == 0, "still on one side"


def test_what_can_still_grow_is_only_judged_for_too_much() -> None:
    values = [float(each % 2) for each in range(30)]
    for value, rules in ((0.0, []), (-9.0, []), (9.0, ["beyond_3_sigma"])):
        series = [*samples(values), Sample(30, after(30), value, "open")]
        found = judge(series, 30, measure=PLAIN, settings=FOUR, known=Known())
        assert [each.rule for each in found.signals] == rules
    series = [*samples(values), Sample(30, after(30), 9.0, "open"), Sample(31, after(31), 0.5, "point")]
    found = judge(series, 31, measure=PLAIN, settings=FOUR, known=Known())
    assert found.limits == limits_of(values[:-7]), "and not learned from"


def test_values_are_brought_onto_the_scale_that_is_judged() -> None:
    table = MEASURES["table"]
    points: list[tuple[datetime, float | None, Role]] = [
        (after(0), 100.0, "point"), (after(1), None, "point"), (after(2), math.nan, "point"),
        (after(3), 150.0, "point"), (after(4), 120.0, "level"), (after(5), 130.0, "point"),
    ]  # fmt: skip
    assert [(each.place, each.value) for each in samples_of(points, table["rows"])] == [(3, 50.0), (5, 10.0)]
    logs = samples_of(points, table["freshness"])
    assert [each.place for each in logs] == [0, 3, 5]
    assert table["freshness"].shown(logs[0].value) == pytest.approx(100.0)
    assert table["freshness"].shown(1e9) < math.inf
    assert [each.value for each in samples_of(points, table["null_share"])] == [100.0, 150.0, 130.0]


@given(st.floats(min_value=0, max_value=1e15))
def test_the_scale_leads_there_and_back(value: float) -> None:
    for measures in MEASURES.values():
        for each in measures.values():
            there = min(value, 1.0) if each.unit == "share" else value
            assert each.shown(each.judged(value)) == pytest.approx(
                there, rel=1e-9, abs=each.offset * 1e-9 + 1e-9
            )


def test_run_times_of_milliseconds_may_scatter_by_factors() -> None:
    seconds = MEASURES["job"]["seconds"]
    values = [0.02 + 0.01 * (each % 2) for each in range(30)]
    for last, out in ((0.12, False), (1.0, True)):
        series = samples_of([(after(at), each, "point") for at, each in enumerate([*values, last])], seconds)
        found = judge(series, 30, measure=seconds, settings=FOUR, known=Known())
        assert bool(found.signals) == out


def test_a_table_or_job_has_its_own_settings() -> None:
    config = ChartsConfig.model_validate(
        {
            "baseline": "14d",
            "tables": {"orders": {"rules": "beyond_3_sigma", "measures": []}},
            "jobs": {"load": {"baseline": 50, "min_points": 20}},
        }
    )
    orders = settings_of(config, scope="table", subject="orders")
    assert (orders.rules, orders.measures, orders.baseline) == (("beyond_3_sigma",), (), timedelta(days=14))
    load = settings_of(config, scope="job", subject="load")
    assert (load.measures, load.baseline, load.min_points) == (("seconds", "rows", "bytes"), 50, 20)
    assert settings_of(config, scope="table", subject="load").measures == (
        "rows", "bytes", "null_share", "change_rate", "freshness",
    )  # fmt: skip


def chart(values: Sequence[float], **more: object) -> Chart:
    points = [(after(at), each, "point", at, f"run-{at}") for at, each in enumerate(values)]
    return chart_of(
        points,  # type: ignore[arg-type]
        scope="table",
        subject="orders",
        name="null_share:email",
        measure=MEASURES["table"]["null_share"],
        settings=FOUR,
        known=Known(),
        **more,  # type: ignore[arg-type]
    )


def test_a_chart_holds_points_limits_and_what_is_out() -> None:
    found = chart([0.05 + 0.01 * (each % 2) for each in range(40)] + [0.5], most=20)
    assert len(found.points) == 20
    assert [each.rules for each in found.points if each.rules] == [("beyond_3_sigma",)]
    assert (found.points[-1].version, found.points[-1].run) == (40, "run-40")
    assert found.center == pytest.approx(0.055)
    assert found.upper == pytest.approx(0.055 + 3 * 0.01 / 1.128)
    document = found.to_dict()
    assert document["table"] == "orders"
    assert document["points"][-1]["rules"] == ["beyond_3_sigma"]
    assert chart([0.1, 0.2]).center is None
