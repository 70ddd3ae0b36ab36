"""When a daemon calls, and what it makes of clocks and outages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lakehouse.config.firing import due, jitter
from lakehouse.config.models.daemon import DaemonConfig
from lakehouse.config.models.jobs import JobConfig
from lakehouse.daemon.jumps import Jumps
from lakehouse.daemon.outage import Outage
from lakehouse.daemon.timing import next_call

JITTERY = {"do": "verify", "schedule": "every 1m", "jitter": "10m", "catch_up": "all"}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_without_jitter_a_job_is_called_at_its_moments() -> None:
    job = JobConfig.model_validate({"do": "verify", "schedule": "every 15m"})
    assert next_call("j", job, after=NOON) == NOON + timedelta(minutes=15)


def test_with_jitter_each_moment_is_called_when_it_is_due() -> None:
    job = JobConfig.model_validate(JITTERY)
    moments = [NOON + timedelta(minutes=n) for n in range(-20, 20)]
    calls = sorted(each + jitter(job, name="j", fire_time=each) for each in moments)
    at = NOON
    for expected in [each for each in calls if each > NOON][:8]:
        found = next_call("j", job, after=at)
        assert found == expected
        at = found


def test_moments_are_due_in_their_order_however_long_each_waits() -> None:
    job = JobConfig.model_validate(JITTERY)
    last, begun = NOON - timedelta(minutes=1), []
    for second in range(0, 3600, 20):
        for each in due(job, name="j", last=last, now=NOON + timedelta(seconds=second)):
            assert each + jitter(job, name="j", fire_time=each) <= NOON + timedelta(seconds=second)
            begun.append(each)
            last = each
    assert begun == [NOON + timedelta(minutes=n) for n in range(len(begun))]
    assert len(begun) >= 50


def test_a_clock_that_jumps_either_way_is_seen_once() -> None:
    now, steady = NOON, 0.0
    jumps = Jumps(lambda: now, lambda: steady)
    now, steady = now + timedelta(seconds=60), 60.0
    assert not jumps.happened(), "time that passes is no jump"
    for hours in (5, -7):
        now += timedelta(hours=hours)
        assert jumps.happened()
        assert jumps.last == pytest.approx(hours * 3600)
        assert not jumps.happened()


def test_an_outage_is_new_once_and_tried_again_after_growing_pauses() -> None:
    outage = Outage()
    assert (outage.failed(0), outage.failed(1)) == (True, False)
    pauses = []
    for now in range(2, 8):
        outage.failed(now)
        pauses.append(outage.wait(now))
    assert pauses == sorted(pauses)
    assert pauses[-1] == 5.0
    assert outage.back(20) == 20
    assert (outage.back(21), outage.on) == (None, False)
    assert outage.failed(30)


@pytest.mark.parametrize("listen", ["127.0.0.1", "1.2.3.4:70000", "http://x:1", ":x", 9464])
def test_an_address_that_is_none_is_told(listen: object) -> None:
    with pytest.raises(ValueError, match="address"):
        DaemonConfig.model_validate({"listen": listen})
    assert DaemonConfig.model_validate({"listen": "[::1]:0"}).listen == "[::1]:0"
