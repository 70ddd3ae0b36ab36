"""Personal data in free text: Lakehouse against Presidio's engines, the spans compared one by one.

    python -m benchmarks.pii_text                     # 20,000 distinct texts
    python -m benchmarks.pii_text --texts 2000        # a quick look

Notes, tickets and letters as they are written to a shop, all distinct, made by a seed, once for all.
Each contender looks for what Presidio looks for by default and replaces what it finds: the peer by
``AnalyzerEngine`` text by text or by ``BatchAnalyzerEngine``, in batches of one text (its default) and of
64, and by ``AnonymizerEngine``, with the same model, on one core. Each run is a process of its own; what is
measured is the work alone, after libraries and models are loaded. Peak memory is that of all processes of a
contender together. Last, the same texts ten times over.

Right is what ``AnalyzerEngine`` finds text by text; each other contender's spans are compared with that, and
so are its own of a second run that begins with the last text.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.measure import Run, command_line, machine, median, peak_mb, run_child, write_report
from benchmarks.pii_peer import as_spans, stock_engine
from benchmarks.texts import Texts

if TYPE_CHECKING:
    from lakehouse.pii.spans import Span

MODULE = "benchmarks.pii_text"
GOALS = {"one core": 2, "two cores": 4}
REFERENCE = "peer, one by one"
AGAIN = "peer, one by one, from the last"
BATCHES: Final = {"peer, batches of 1": 1, "peer, batches of 64": 64}
WORKERS: Final = {"ours, one core": 1, "ours, two cores": 2, "ours, each text ten times": 1}
MIN_SCORE = 0.5
Spans = list[tuple["Span", ...]]
Found = list[list[list[Any]]]


@dataclass(frozen=True, slots=True)
class Work:
    """What one run took.

    Args:
        seconds: By the clock.
        cpu_seconds: Of processors, all processes together.
        peak_mb: Memory of all processes together.
        found: The spans.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    found: Spans


def peer(texts: Sequence[str], *, entities: Sequence[str], batch: int | None) -> Work:
    """Presidio, as its own documentation sets it up; in batches, or text by text."""
    from presidio_analyzer import BatchAnalyzerEngine
    from presidio_anonymizer import AnonymizerEngine

    analyzer, anonymizer = stock_engine(), AnonymizerEngine()
    engine = BatchAnalyzerEngine(analyzer)
    asked: dict[str, Any] = {"language": "en", "entities": list(entities), "score_threshold": MIN_SCORE}

    def work(some: Sequence[str]) -> list[Any]:
        if batch is None:
            found = [analyzer.analyze(text, **asked) for text in some]
        else:
            found = engine.analyze_iterator(some, batch_size=batch, **asked)
        for text, results in zip(some, found, strict=True):
            anonymizer.anonymize(text, results)
        return found

    work(Texts(9).plain(50))
    start, cpu = time.perf_counter(), cpu_seconds()
    found = work(texts)
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    return Work(seconds, cpu, peak_mb(), [as_spans(results) for results in found])


def ours(texts: Sequence[str], *, entities: Sequence[str], workers: int) -> Work:
    """Lakehouse in this process, or in several."""
    from lakehouse.config.models import PiiConfig
    from lakehouse.pii.detect.finder import TextFinder
    from lakehouse.pii.executor import Here, Processes

    pool = Processes(workers) if workers > 1 else None
    finder = TextFinder(PiiConfig(), executor=pool or Here())
    finder.find([*Texts(9).plain(50), *(f"text {number}" for number in range(5_000))], entities=entities)
    start, cpu = time.perf_counter(), cpu_seconds()
    found = finder.find(texts, entities=entities)
    for text, spans in zip(texts, found, strict=True):
        replaced(text, spans)
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    peak = peak_mb() + sum(peak_mb(child) for child in children())
    if pool is not None:
        pool.close()
    return Work(seconds, cpu, peak, found)


def usual() -> tuple[str, ...]:
    """What Presidio looks for by default."""
    from lakehouse.config.models import PiiConfig
    from lakehouse.pii.detect.finder import TextFinder

    return TextFinder(PiiConfig()).usual()


def replaced(text: str, spans: Sequence[Span]) -> str:
    """The text with the name of the entity in place of each span; of two that overlap the first."""
    pieces, end = [], 0
    for span in spans:
        if span.start >= end:
            pieces += [text[end : span.start], f"<{span.entity}>"]
            end = span.end
    return "".join([*pieces, text[end:]])


def children() -> list[str]:
    """The processes that this one has started and that still run."""
    tasks = Path("/proc/self/task").glob("*/children")
    return [child for task in tasks for child in task.read_text(encoding="ascii").split()]


def cpu_seconds() -> float:
    """What this process and those that it has started have taken of processors."""
    ticks = 0
    for process in ("self", *children()):
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def child(name: str, *, given: Path, spans: Path) -> None:
    """One run of one contender; prints the figures and leaves the spans, by text, in a file."""
    work_on = json.loads(given.read_text())
    texts, entities = work_on["texts"], work_on["entities"]
    if name in WORKERS:
        if name == "ours, each text ten times":
            texts = texts * 10
            random.Random(2).shuffle(texts)
        work = ours(texts, entities=entities, workers=WORKERS[name])
    elif name == AGAIN:
        work = peer(texts[::-1], entities=entities, batch=None)
        work.found.reverse()
    else:
        work = peer(texts, entities=entities, batch=BATCHES.get(name))
    found = [[(span.start, span.end, span.entity, span.score) for span in each] for each in work.found]
    spans.write_text(json.dumps(found))
    figures = {"seconds": work.seconds, "cpu_seconds": work.cpu_seconds, "peak_mb": work.peak_mb}
    print(json.dumps({**figures, "spans": sum(map(len, found))}))


def measured(name: str, folder: Path, *, given: Path, repeat: int) -> tuple[list[Run], Found]:
    """Runs one contender some times; its spans are those of the last run."""
    spans = folder / "pii-text-spans.json"
    arguments = ["--child", name, "--given", str(given), "--spans", str(spans)]
    runs = [run_child(MODULE, arguments) for _ in range(repeat)]
    found: Found = json.loads(spans.read_text())
    spans.unlink()
    print(f"{name}: {[round(run.seconds, 2) for run in runs]} s", file=sys.stderr)
    return runs, found


def difference(one: Found, other: Found) -> dict[str, int]:
    """In how many texts there are other spans, and how many spans only one of the two has."""
    pairs = [(set(map(tuple, a)), set(map(tuple, b))) for a, b in zip(one, other, strict=True)]
    return {"texts": sum(a != b for a, b in pairs), "spans": sum(len(a ^ b) for a, b in pairs)}


def report_of(options: argparse.Namespace) -> dict[str, Any]:
    """Runs all contenders."""
    texts = Texts(1).plain(options.texts)
    given = options.folder / "pii-text.json"
    given.write_text(json.dumps({"texts": texts, "entities": usual()}))
    repeats = dict.fromkeys((REFERENCE, AGAIN, *BATCHES), options.repeat_peer)
    repeats |= dict.fromkeys(WORKERS, options.repeat)
    repeats |= {AGAIN: 1, "ours, each text ten times": 1}
    runs: dict[str, list[Run]] = {}
    found: dict[str, Found] = {}
    for name, repeat in repeats.items():
        runs[name], found[name] = measured(name, options.folder, given=given, repeat=repeat)
    given.unlink()
    seconds = {name: median([run.seconds for run in each]) for name, each in runs.items()}
    cpu = {name: median([run.detail["cpu_seconds"] for run in each]) for name, each in runs.items()}
    compared = [AGAIN, *BATCHES, "ours, one core", "ours, two cores"]
    return {
        "benchmark": "pii_text",
        "machine": machine("presidio-analyzer", "presidio-anonymizer", "spacy", "thinc", "phonenumbers"),
        "load": [round(each, 2) for each in os.getloadavg()],
        "texts": options.texts,
        "characters_per_text": round(sum(map(len, texts)) / options.texts),
        "runs": {name: figures(each, texts=options.texts) for name, each in runs.items()},
        "other_than_one_by_one": {name: difference(found[REFERENCE], found[name]) for name in compared},
        "times_faster": ratios(seconds, own=("ours, one core", "ours, two cores")),
        "times_less_of_a_processor": ratios(cpu, own=("ours, one core",)),
        "goals": GOALS,
    }


def figures(runs: Sequence[Run], *, texts: int) -> dict[str, Any]:
    """What the runs of one contender took."""
    return {
        "seconds": [round(run.seconds, 2) for run in runs],
        "cpu_seconds": [round(run.detail["cpu_seconds"], 2) for run in runs],
        "ms_per_text": round(median([run.seconds for run in runs]) / texts * 1000, 3),
        "peak_mb": round(max(run.peak_mb for run in runs)),
        "spans": runs[-1].detail["spans"],
    }


def ratios(taken: dict[str, float], *, own: Sequence[str]) -> dict[str, float]:
    """How often what we take goes into what the peer takes."""
    return {
        f"{name.removeprefix('ours, ')}, against {other.removeprefix('peer, ')}": round(
            taken[other] / taken[name], 2
        )
        for name in own
        for other in (REFERENCE, *BATCHES)
    }


def main() -> int:
    """Command line of the benchmark; exit code 1 where we find others than the peer does one by one."""
    parser = command_line(__doc__, module=MODULE, rows=None)
    parser.add_argument("--texts", type=int, default=20_000, help="distinct texts (default 20,000)")
    parser.add_argument("--repeat-peer", type=int, default=1, help="runs of the peer, which takes minutes")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--given", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--spans", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, given=options.given, spans=options.spans)
        return 0
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # per core: neither contender may use a second one behind the scenes
    options.folder.mkdir(parents=True, exist_ok=True)
    report = report_of(options)
    write_report(report, options.json)
    print(json.dumps(report, indent=2))
    other = report["other_than_one_by_one"]
    return int(any(other[name]["texts"] for name in ("ours, one core", "ours, two cores")))


if __name__ == "__main__":
    sys.exit(main())
