"""Personal data in free text: Lakehouse against Presidio's batch engine, the spans compared one by one.

    python -m benchmarks.pii_text                     # 20,000 distinct texts
    python -m benchmarks.pii_text --texts 2000        # a quick look

Notes, tickets and letters as they are written to a shop, all distinct, made by a seed. Each contender looks
for what Presidio looks for by default and replaces what it finds: the peer by ``BatchAnalyzerEngine`` and
``AnonymizerEngine`` with the same model, on one core, in batches of one text (its default) and of 64. Each
run is a process of its own; what is measured is the work alone, after libraries and models are loaded. Peak
memory is that of all processes of a contender together. Last, the same texts ten times over.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Run, command_line, machine, median, peak_mb, run_child, write_report
from benchmarks.texts import Texts

if TYPE_CHECKING:
    from lakehouse.pii.spans import Span

MODULE = "benchmarks.pii_text"
GOALS = {"one core": 2, "two cores": 4}
PEERS = ("peer, batches of 1", "peer, batches of 64")
MIN_SCORE = 0.5
CHECKED_SINGLY = 500
Spans = list[tuple["Span", ...]]


def texts_of(count: int, *, repeated: int = 1) -> list[str]:
    """Distinct texts, shuffled where they are repeated."""
    texts = Texts(1).plain(count) * repeated
    if repeated > 1:
        random.Random(2).shuffle(texts)
    return texts


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


def peer(texts: Sequence[str], *, batch: int) -> Work:
    """Presidio, as its own documentation sets it up for batches."""
    import tldextract
    from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider
    from presidio_anonymizer import AnonymizerEngine

    from lakehouse.pii.detect.presidio.models import installed_name

    settings = dict(NlpEngineProvider().nlp_configuration)
    settings["models"] = [{"lang_code": "en", "model_name": installed_name("en_core_web_sm")}]
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    analyzer = AnalyzerEngine(nlp_engine=NlpEngineProvider(nlp_configuration=settings).create_engine())
    engine, anonymizer, entities = BatchAnalyzerEngine(analyzer), AnonymizerEngine(), usual()

    def work(some: Sequence[str]) -> list[Any]:
        found = engine.analyze_iterator(
            some, language="en", batch_size=batch, entities=list(entities), score_threshold=MIN_SCORE
        )
        for text, results in zip(some, found, strict=True):
            anonymizer.anonymize(text, results)
        return list(found)

    work(Texts(9).plain(50))
    start, cpu = time.perf_counter(), cpu_seconds()
    found = work(texts)
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    for text, results in list(zip(texts, found, strict=True))[:CHECKED_SINGLY]:
        alone = analyzer.analyze(text, "en", entities=list(entities), score_threshold=MIN_SCORE)
        if as_spans(alone) != as_spans(results):
            raise AssertionError("the peer finds other spans alone than in a batch")
    return Work(seconds, cpu, peak_mb(), [as_spans(results) for results in found])


def ours(texts: Sequence[str], *, workers: int) -> Work:
    """Lakehouse in this process, or in several."""
    from lakehouse.config.models import PiiConfig
    from lakehouse.pii.detect.finder import TextFinder
    from lakehouse.pii.executor import Here, Processes

    entities = usual()
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


def as_spans(results: Sequence[Any]) -> tuple[Span, ...]:
    """Presidio's results, sorted."""
    from lakehouse.pii.spans import Span

    found = (Span(each.start, each.end, each.entity_type, round(each.score, 6)) for each in results)
    return tuple(sorted(found))


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


def child(name: str, *, count: int, spans: Path) -> None:
    """One run of one contender; prints the figures and leaves the spans in a file."""
    texts = texts_of(count, repeated=10 if name == "ours, each text ten times" else 1)
    if name in PEERS:
        work = peer(texts, batch=int(name.rpartition(" ")[2]))
    else:
        work = ours(texts, workers=2 if name == "ours, two cores" else 1)
    found = [[(span.start, span.end, span.entity, span.score) for span in each] for each in work.found]
    spans.write_bytes(pickle.dumps(found))
    figures = {"seconds": work.seconds, "cpu_seconds": work.cpu_seconds, "peak_mb": work.peak_mb}
    print(json.dumps({**figures, "spans": sum(map(len, found))}))


def measured(name: str, options: argparse.Namespace, *, repeat: int) -> tuple[list[Run], Any]:
    """Runs one contender some times; its spans are those of the last run."""
    spans = options.folder / "pii-text-spans.pickle"
    arguments = ["--child", name, "--texts", str(options.texts), "--spans", str(spans)]
    runs = [run_child(MODULE, arguments) for _ in range(repeat)]
    found = pickle.loads(spans.read_bytes())
    spans.unlink()
    print(f"{name}: {[round(run.seconds, 2) for run in runs]} s", file=sys.stderr)
    return runs, found


def report_of(options: argparse.Namespace) -> dict[str, Any]:
    """Runs all contenders."""
    contenders = {
        PEERS[0]: options.repeat_peer,
        PEERS[1]: options.repeat_peer,
        "ours, one core": options.repeat,
        "ours, two cores": options.repeat,
        "ours, each text ten times": 1,
    }
    results: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    cpu: dict[str, float] = {}
    found: dict[str, Any] = {}
    for name, repeat in contenders.items():
        runs, found[name] = measured(name, options, repeat=repeat)
        seconds[name] = median([run.seconds for run in runs])
        cpu[name] = median([run.detail["cpu_seconds"] for run in runs])
        results[name] = {
            "seconds": [round(run.seconds, 2) for run in runs],
            "cpu_seconds": [round(run.detail["cpu_seconds"], 2) for run in runs],
            "ms_per_text": round(seconds[name] / options.texts * 1000, 3),
            "peak_mb": round(max(run.peak_mb for run in runs)),
            "spans": runs[-1].detail["spans"],
        }

    def different(one: str, other: str) -> int:
        return sum(a != b for a, b in zip(found[one], found[other], strict=True))

    def ratio(peer: str, own: str, figures: dict[str, float]) -> float:
        return round(figures[peer] / figures[own], 2)

    return {
        "benchmark": "pii_text",
        "machine": machine("presidio-analyzer", "presidio-anonymizer", "spacy", "thinc", "phonenumbers"),
        "load": [round(each, 2) for each in os.getloadavg()],
        "texts": options.texts,
        "characters_per_text": round(sum(map(len, texts_of(options.texts))) / options.texts),
        "runs": results,
        "texts_with_other_spans": {
            "one core, against batches of 1": different(PEERS[0], "ours, one core"),
            "one core, against batches of 64": different(PEERS[1], "ours, one core"),
            "two cores, against batches of 1": different(PEERS[0], "ours, two cores"),
        },
        "times_faster": {
            "one core, against batches of 1": ratio(PEERS[0], "ours, one core", seconds),
            "one core, against batches of 64": ratio(PEERS[1], "ours, one core", seconds),
            "two cores, against batches of 1": ratio(PEERS[0], "ours, two cores", seconds),
            "two cores, against batches of 64": ratio(PEERS[1], "ours, two cores", seconds),
        },
        "times_less_of_a_processor": {
            "one core, against batches of 1": ratio(PEERS[0], "ours, one core", cpu),
            "one core, against batches of 64": ratio(PEERS[1], "ours, one core", cpu),
        },
        "goals": GOALS,
    }


def main() -> None:
    """Command line of the benchmark."""
    parser = command_line(__doc__, module=MODULE, rows=None)
    parser.add_argument("--texts", type=int, default=20_000, help="distinct texts (default 20,000)")
    parser.add_argument("--repeat-peer", type=int, default=1, help="runs of the peer, which takes minutes")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--spans", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, count=options.texts, spans=options.spans)
        return
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # per core: neither contender may use a second one behind the scenes
    options.folder.mkdir(parents=True, exist_ok=True)
    report = report_of(options)
    write_report(report, options.json)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
