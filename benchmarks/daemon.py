"""Daemons: several on one database with many jobs each second, what a run costs, and an idle one.

    python -m benchmarks.daemon              two and five of them, on SQLite and PostgreSQL, also with kills
    python -m benchmarks.daemon --overhead   from a moment to the end of its run, with 10,000 runs of history
    python -m benchmarks.daemon --idle       memory and CPU of a daemon that waits

A crowd is counted by the state database (each moment of each job has one run, and that has succeeded once)
and by what the work left behind (without kills exactly one line for each run; with kills at least one).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.measure import machine, write_report
from lakehouse.config import load_config
from lakehouse.jobs.status import view_of
from lakehouse.state import open_state
from lakehouse.state.database import State
from lakehouse.state.job_rows import End, Policy, Wanted

ROOT = Path(__file__).parents[1]
_PATIENCE = 120.0


def write_config(
    folder: Path, state: str, *, jobs: int, work: str, pause: bool, every: str = "1s", workers: int = 2
) -> Path:
    """Writes a config with some equal jobs."""
    path = folder / "lakehouse.yaml"
    document = {
        "version": 1,
        "name": "crowd",
        "storage": {"root": str(folder / "lake")},
        "state": state,
        "daemon": {"listen": "", "workers": workers},
        "logs": {"level": "warning", "format": "json"},
        "jobs": {
            f"job{number:03}": {
                "do": f"benchmarks.daemon_work.{work}",
                "schedule": f"every {every}",
                "overlap": "queue",
                "catch_up": "all",
                "pause": pause,
            }
            for number in range(jobs)
        },
    }
    path.with_suffix(".new").write_text(json.dumps(document))
    path.with_suffix(".new").rename(path)
    return path


def start(config: Path, lease: float) -> subprocess.Popen[bytes]:
    """Starts a daemon."""
    with (config.parent / "errors.txt").open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.daemon", "--one", str(config), str(lease)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=errors,
        )


def crowd(
    folder: Path,
    state: str,
    *,
    daemons: int,
    jobs: int,
    seconds: float,
    kills: float = 0,
    lease: float = 60,
    workers: int = 0,
) -> dict[str, Any]:
    """Lets daemons share jobs that fire each second.

    Args:
        folder: An empty folder.
        state: The state database's URL.
        daemons: How many.
        jobs: How many, each of which fires each second.
        seconds: How long.
        kills: Seconds between two kills of a daemon by chance; 0 for none.
        lease: How long a lost run waits.
        workers: Of each daemon; 0 for four altogether, and one at least.

    Returns:
        Figures; ``lost``, ``twice`` and ``open`` have to be 0.
    """
    work = "rest" if kills else "note"
    workers = workers or max(1, 4 // daemons)
    config = write_config(folder, state, jobs=jobs, work=work, pause=False, workers=workers)
    opened = open_state(state)
    opened.make()
    children = [start(config, lease) for _ in range(daemons)]
    chance = random.Random(7)
    killed = 0
    try:
        _first(opened)
        begun = time.monotonic()
        while time.monotonic() < begun + seconds:
            time.sleep(kills or 0.5)
            if kills and time.monotonic() < begun + seconds * 0.7 and _wait_for_runs(opened):
                at = chance.randrange(daemons)
                children[at].kill()
                children[at].wait()
                children[at] = start(config, lease)
                killed += 1
        cpu = [_cpu(each.pid) for each in children]
        write_config(folder, state, jobs=jobs, work=work, pause=True, workers=workers)
        stop = time.monotonic()
        for each in children:
            each.send_signal(signal.SIGHUP)
        _drained(opened, children, lambda: start(config, lease))
        behind = time.monotonic() - stop
        for each in children:
            each.send_signal(signal.SIGTERM)
        codes = [each.wait(timeout=_PATIENCE) for each in children]
    finally:
        for each in children:
            if each.poll() is None:
                each.kill()
                each.wait()
    figures = _count(opened, folder)
    opened.close()
    return {
        "database": opened.shown.partition(":")[0],
        "daemons": daemons,
        "workers_each": workers,
        "jobs_each_second": jobs,
        "seconds": seconds,
        "kills": killed,
        "lease": lease,
        "exit_codes": sorted(set(codes)),
        "seconds_behind_at_the_end": round(behind, 1),
        "cpu_seconds_of_main_processes": [round(each, 1) for each in cpu],
        **figures,
    }


def _first(state: State) -> None:
    give_up = time.monotonic() + _PATIENCE
    while not state.jobs.history(limit=1, statuses={"succeeded"}):
        if time.monotonic() > give_up:
            raise RuntimeError("no run was done")
        time.sleep(0.2)


def _wait_for_runs(state: State) -> bool:
    """Waits until a run goes on, so that a kill can hit one."""
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        if any(each.alive for each in state.leases.open()):
            return True
        time.sleep(0.01)
    return False


def _drained(
    state: State, children: list[subprocess.Popen[bytes]], again: Callable[[], subprocess.Popen[bytes]]
) -> None:
    give_up = time.monotonic() + _PATIENCE
    quiet = 0
    while quiet < 5:
        quiet = 0 if state.leases.open() else quiet + 1
        for at, each in enumerate(children):
            # Python itself ends at a SIGHUP that comes before anybody listens to it.
            if each.poll() is not None:
                children[at] = again()
        if time.monotonic() > give_up:
            return
        time.sleep(0.3)


def _count(state: State, folder: Path) -> dict[str, Any]:
    views = [view_of(*each) for each in state.jobs.history()]
    moments: dict[str, list[datetime]] = {}
    for each in views:
        moments.setdefault(each.job, []).append(each.fire_time)
    lost = sum(
        round((max(each) - min(each)).total_seconds()) + 1 - len(set(each)) for each in moments.values()
    )
    good = [each for each in views if sum(event.event == "succeeded" for event in each.events) == 1]
    notes = folder / "notes.txt"
    lines = Counter(notes.read_text().splitlines() if notes.exists() else [])
    waits = sorted((each.ended - each.fire_time).total_seconds() for each in good if each.ended)
    return {
        "runs": len(views),
        "succeeded_once": len(good),
        "not_succeeded": dict(Counter(each.status for each in views if each.status != "succeeded")),
        "moments_lost": lost,
        "moments_twice": sum(len(each) - len(set(each)) for each in moments.values()),
        "still_open": len(state.leases.open()),
        "work_done_for_runs": len(lines),
        "work_done_more_than_once": sum(number > 1 for number in lines.values()),
        "runs_lost_with_their_process": sum(
            any(event.event == "abandoned" for event in each.events) for each in views
        ),
        "runs_handed_over": sum(sum(event.event == "queued" for event in each.events) > 1 for each in views),
        "seconds_from_moment_to_end": {
            "median": round(waits[len(waits) // 2], 3),
            "p95": round(waits[int(len(waits) * 0.95)], 3),
            "longest": round(waits[-1], 3),
        },
    }


def overhead(folder: Path, state: str, *, history: int, runs: int) -> dict[str, Any]:
    """From a moment to the end of a run that does nothing, with a long history."""
    opened = open_state(state)
    opened.make()
    fill(opened, history)
    config = write_config(folder, state, jobs=1, work="note", pause=False)
    child = start(config, 60)
    try:
        give_up = time.monotonic() + _PATIENCE
        while len(opened.jobs.history(job="job000", statuses={"succeeded"}, limit=runs + 5)) < runs + 5:
            if time.monotonic() > give_up:
                raise RuntimeError("the runs did not come about")
            time.sleep(1)
        cpu = _cpu(child.pid)
    finally:
        child.terminate()
        child.wait()
    views = [view_of(*each) for each in opened.jobs.history(job="job000", statuses={"succeeded"}, limit=runs)]
    opened.close()
    begin = sorted((each.started - each.fire_time).total_seconds() for each in views if each.started)
    whole = sorted((each.ended - each.fire_time).total_seconds() for each in views if each.ended)
    return {
        "history": history,
        "runs": len(views),
        "milliseconds_from_moment_to_begin": _spread(begin),
        "milliseconds_from_moment_to_end": _spread(whole),
        "main_process_cpu_seconds": round(cpu, 2),
        "goal_milliseconds": 50,
    }


def fill(state: State, runs: int) -> None:
    """Writes a history."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    policies = {f"old{number}": Policy(skip=False, losses=3) for number in range(10)}
    for part in range(0, runs, 500):
        wanted = [
            Wanted(f"old{number % 10}", begin + timedelta(minutes=part + number), "note")
            for number in range(min(500, runs - part))
        ]
        ends: list[End] = []
        while True:
            taken = state.queue.work(
                wanted, policies=policies, most=500, owner="filler", lease=timedelta(minutes=5),
                author="filler", now=begin, ends=ends,
            )  # fmt: skip
            wanted = []
            ends = [
                End(each.run.id, each.token, "succeeded", {"counts": {"rows": 1}}) for each in taken.claimed
            ]
            if not ends:
                break


def idle(folder: Path, state: str, *, jobs: int, seconds: float) -> dict[str, Any]:
    """Memory and CPU of a daemon whose jobs are far away."""
    opened = open_state(state)
    opened.make()
    config = write_config(folder, state, jobs=jobs, work="note", pause=False, every="8760h")
    child = start(config, 60)
    try:
        # Each is begun once, since it never was; its workers end when they have nothing to do.
        give_up = time.monotonic() + _PATIENCE
        while len(opened.jobs.history(statuses={"succeeded"})) < jobs or _children(child.pid):
            if time.monotonic() > give_up:
                raise RuntimeError("it does not come to rest")
            time.sleep(1)
        before, begun = _cpu(child.pid), time.monotonic()
        time.sleep(seconds)
        share = (_cpu(child.pid) - before) / (time.monotonic() - begun)
        memory = _memory(child.pid)
    finally:
        child.terminate()
        child.wait()
    opened.close()
    return {
        "jobs": jobs,
        "seconds": seconds,
        "percent_of_a_core": round(share * 100, 3),
        "megabytes": round(memory / 2**20, 1),
        "goal": {"percent_of_a_core": 1, "megabytes": 150},
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(values[len(values) // 2] * 1000, 1),
        "p95": round(values[int(len(values) * 0.95)] * 1000, 1),
        "longest": round(values[-1] * 1000, 1),
    }


def _cpu(pid: int) -> float:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL server of its own."""
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    pgserver: Any = import_module("pgserver")
    server = pgserver.get_server(folder / "data")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def crowds(seconds: float, jobs: int, databases: list[str]) -> list[dict[str, Any]]:
    """All crowds."""
    found = []
    with TemporaryDirectory(prefix="lh-pg-") as place:
        for database in databases:
            for daemons in (2, 5):
                for kills in (0.0, 3.0):
                    with TemporaryDirectory(prefix="lh-crowd-") as name:
                        folder = Path(name)
                        more = {"daemons": daemons, "jobs": jobs, "seconds": seconds, "kills": kills}
                        lease = 5.0 if kills else 60.0
                        if database == "sqlite":
                            url = f"sqlite:///{folder}/state.db"
                            figures = crowd(folder, url, lease=lease, **more)  # type: ignore[arg-type]
                        else:
                            (Path(place) / name.rpartition("-")[2]).mkdir()
                            with postgres(Path(place) / name.rpartition("-")[2]) as url:
                                figures = crowd(folder, url, lease=lease, **more)  # type: ignore[arg-type]
                    figures["load_average"] = [round(each, 1) for each in os.getloadavg()]
                    print(json.dumps(figures), flush=True)
                    found.append(figures)
    return found


def main() -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--one", nargs=2, metavar=("CONFIG", "LEASE"), help=argparse.SUPPRESS)
    parser.add_argument("--overhead", action="store_true")
    parser.add_argument("--idle", action="store_true")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--history", type=int, default=10_000)
    parser.add_argument("--database", action="append", choices=["sqlite", "postgresql"])
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/daemon.json"))
    options = parser.parse_args()
    if options.one:
        from lakehouse.daemon.service import Daemon

        config, lease = options.one
        daemon = Daemon(
            load_config(config), reload=lambda: load_config(config), lease=timedelta(seconds=float(lease))
        )
        raise SystemExit(daemon.run())
    report = json.loads(options.json.read_text()) if options.json.exists() else {"benchmark": "daemon"}
    report["machine"] = machine()
    if options.overhead or options.idle:
        with TemporaryDirectory(prefix="lh-daemon-") as name:
            folder, url = Path(name), f"sqlite:///{name}/state.db"
            if options.overhead:
                part, key = overhead(folder, url, history=options.history, runs=60), "overhead"
            else:
                part, key = idle(folder, url, jobs=20, seconds=options.seconds), "idle"
            part["load_average"] = [round(each, 1) for each in os.getloadavg()]
            report[key] = part
            print(json.dumps(part, indent=2))
    else:
        report["crowds"] = crowds(options.seconds, options.jobs, options.database or ["sqlite", "postgresql"])
    write_report(report, options.json)


if __name__ == "__main__":
    main()
