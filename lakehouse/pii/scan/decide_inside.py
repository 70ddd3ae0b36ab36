"""What is a part of values: in free texts, and in what is neither text nor one value; pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lakehouse.pii.scan.facts import PathFacts, TextEntity
from lakehouse.pii.scan.findings import EntityFinding, Evidence
from lakehouse.pii.scan.saying import WORDS, percent

_TEXT_SHARE: Final = 0.03
_DIFFERENT: Final = 3
"""An address of a service, as in those of repositories, is the same everywhere."""


def inside_values(facts: PathFacts) -> Iterator[EntityFinding]:
    """Parts of lines of logs, XML and the like, where the values as a whole are nothing.

    Args:
        facts: Of values that are no free texts.
    """
    whole = {match.entity: match.share for match in facts.matches}
    for each in facts.inside:
        if each.distinct >= _DIFFERENT and each.share > 2 * whole.get(each.entity, 0.0):
            what = WORDS.get(each.entity, each.entity)
            reason = f"{percent(each.share)} of the values hold {what}"
            yield EntityFinding(
                entity=each.entity,
                share=each.share,
                score=0.8,
                evidence=("pattern",),
                reason=reason,
                inside=True,
            )


def of_texts(facts: PathFacts) -> Iterator[EntityFinding]:
    """Parts of free texts.

    Args:
        facts: Of free texts.
    """
    inside = [
        each
        for each in facts.texts or ()
        if (each.texts >= 2 and each.corroborated >= _TEXT_SHARE) or each.distinct >= 2
    ]
    for each in inside:
        # A place in a text is somebody's only where somebody is.
        if each.entity == "LOCATION" and len(inside) == 1:
            continue
        yield _in_text(each)


def _in_text(each: TextEntity) -> EntityFinding:
    what = WORDS.get(each.entity, each.entity)
    evidence: tuple[Evidence, ...] = ("model", "dictionary") if each.by_model else ("pattern",)
    if each.entity == "PHONE_NUMBER":
        evidence = ("pattern", "library")
    return EntityFinding(
        entity=each.entity,
        share=each.share,
        score=0.75 if each.by_model else 0.85,
        evidence=evidence,
        reason=f"free text; {percent(each.share)} of the texts hold {what}",
        inside=True,
    )
