"""One path after the other: looked at, a model asked where that can help, judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from lakehouse.config.models import PiiConfig
from lakehouse.pii.scan.decide import decide, wants_model
from lakehouse.pii.scan.examples import examples_of
from lakehouse.pii.scan.facts import PathFacts
from lakehouse.pii.scan.findings import ColumnFinding
from lakehouse.pii.scan.look import Looker
from lakehouse.pii.scan.model import opinion
from lakehouse.pii.scan.texts import clear_inside, text_facts
from lakehouse.pii.scan.values import MOST_CHARS, PathValues
from lakehouse.pii.spans import SpanFinder


@dataclass(frozen=True, slots=True)
class Judged:
    """A path, its facts and what they mean.

    Args:
        facts: What is known.
        finding: The personal data there; None where there is none.
    """

    facts: PathFacts
    finding: ColumnFinding | None


class Classifier:
    """Finds out what personal data values are.

    Args:
        config: The lake's section on personal data.
        finder: Finds spans in texts, and gives a model's opinion of values; None for patterns, checksums,
            lists and names alone.
        today: From which ages are counted.
        seed: Chooses values where not all are looked at.
    """

    def __init__(
        self, *, config: PiiConfig, finder: SpanFinder | None = None, today: date, seed: int = 0
    ) -> None:
        self._config = config
        self._finder = finder
        self._seed = seed
        self._looker = Looker(recognizers=config.recognizers, today=today, seed=seed)

    def facts(self, values: PathValues, *, table: str = "") -> PathFacts:
        """All that is known of a path.

        Args:
            values: What was sampled there.
            table: The table's name.
        """
        facts = self._looker.look(values, table=table)
        if not facts.filled:
            return facts
        if facts.is_text:
            inside = text_facts(
                values.texts,
                values.counts,
                finder=self._finder,
                own=[each.name for each in self._config.recognizers],
                of_things=facts.name.thing or facts.name.among_things,
                min_score=self._config.min_score,
                seed=self._seed,
            )
            return replace(facts, texts=inside)
        if facts.kind == "text":
            facts = replace(facts, inside=clear_inside(values.texts, values.counts))
        if self._finder is not None and wants_model(facts):
            return replace(facts, model=opinion(values.texts, finder=self._finder, seed=self._seed))
        return facts

    def judge(self, values: PathValues, *, table: str = "", declared: tuple[str, ...] = ()) -> Judged:
        """Says what personal data there is at a path.

        Args:
            values: What was sampled there.
            table: The table's name.
            declared: What the config says that is there.
        """
        facts = self.facts(values, table=table)
        entities = decide(facts, min_score=self._config.min_score)
        if not entities:
            return Judged(facts, None)
        notes = [values.note] if values.note else []
        if values.cut:
            notes.append(f"{values.cut:,} longer than {MOST_CHARS:,} characters, cut for the scan")
        finding = ColumnFinding(
            path=str(values.path),
            entities=entities,
            prose=facts.is_text,
            rows=facts.rows,
            filled=facts.filled,
            distinct=facts.distinct,
            declared=declared,
            note="; ".join(notes),
        )
        # A text has other things in it than what was found, and those are nobody's to show.
        if not finding.text:
            finding = replace(finding, examples=examples_of(values.texts, seed=self._seed))
        return Judged(facts, finding)
