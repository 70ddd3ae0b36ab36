"""Looks at the values of a path and counts what they look like; columns at a time, not value by value."""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from typing import Final

import polars as pl

from lakehouse.config.models import Recognizer
from lakehouse.pii.scan.facts import DateFacts, Match, OwnMatch, PathFacts, WordFacts
from lakehouse.pii.scan.names import NameFacts, NameReader
from lakehouse.pii.scan.own import OwnPattern
from lakehouse.pii.scan.patterns import (
    ADDRESS_SHAPE,
    HEX,
    NAME_SHAPE,
    NO_CHECKSUMS,
    PATTERNS,
    POSTCODE,
    STREET,
    UNCASED_SHAPE,
    UUID,
    Pattern,
)
from lakehouse.pii.scan.phones import phone_facts
from lakehouse.pii.scan.values import PathValues

_DATE_FORMATS: Final = (
    (r"^\d{4}-\d{2}-\d{2}", "%Y-%m-%d", 10),
    (r"^\d{2}\.\d{2}\.\d{4}$", "%d.%m.%Y", 10),
    (r"^\d{2}/\d{2}/\d{4}$", "%d/%m/%Y", 10),
    (r"^\d{2}/\d{2}/\d{4}$", "%m/%d/%Y", 10),
    (r"^\d{4}/\d{2}/\d{2}$", "%Y/%m/%d", 10),
    (r"^(?:19|20)\d{6}$", "%Y%m%d", 8),
    (r"^\d{2}-\d{2}-\d{4}$", "%d-%m-%Y", 10),
)
_MOST_CHECKED: Final = 500
"""Of more values than twice this, not all have their checksums looked at."""
_OLDEST: Final = 115
_VERSION_LIKE: Final = r"^v?[0-2]?\d\.[0-2]?\d\.[0-2]?\d\.[0-2]?\d$"


class Looker:
    """Looks at values; holds the lists of names and the expressions, which are read once.

    Args:
        recognizers: The config's own.
        today: From which ages are counted.
        seed: Chooses values where not all are looked at.
    """

    def __init__(self, *, recognizers: tuple[Recognizer, ...] = (), today: date, seed: int = 0) -> None:
        self._names = NameReader()
        self._today = today
        self._seed = seed
        self._first, self._last = word_list("first_names"), word_list("last_names")
        self._places, self._groups = word_list("places"), word_list("groups")
        self._own = [(each, OwnPattern(each)) for each in recognizers]

    def look(self, values: PathValues, *, table: str = "") -> PathFacts:
        """Counts what values look like.

        Args:
            values: What was sampled at a path.
            table: The table's name.

        Returns:
            The facts that need no model.
        """
        name = self._names.read(values.path, table=table)
        base = PathFacts(
            path=values.path,
            kind=values.kind,
            rows=values.rows,
            filled=values.filled,
            distinct=values.values.len(),
            name=name,
        )
        if not values.filled or values.kind in {"boolean", "other"}:
            return base
        texts, counts = values.texts, values.counts
        is_whole = values.kind == "text" or values.values.dtype.is_integer()
        matches = self._matches(texts, counts) if is_whole else ()
        return PathFacts(
            path=base.path,
            kind=base.kind,
            rows=base.rows,
            filled=base.filled,
            distinct=base.distinct,
            name=name,
            matches=matches,
            phones=phone_facts(texts, counts, seed=self._seed) if is_whole else base.phones,
            dates=self._dates(values, texts),
            words=self._words(texts, counts) if values.kind == "text" else self._digits(texts, counts),
            small_parts=_share(texts.str.contains(_VERSION_LIKE), counts),
            in_degrees=_degrees(texts, counts, name=name),
            own=self._own_matches(texts, counts, name=name) if values.kind != "date" else (),
        )

    def _matches(self, texts: pl.Series, counts: pl.Series) -> tuple[Match, ...]:
        there = texts.str.contains_any(["@", *"0123456789", "www."])
        if not there.any():
            return ()
        # All in one go: each look by itself costs more to begin than to do.
        hits = pl.DataFrame({"text": texts}).select(
            _whole(each.regex).alias(str(at)) for at, each in enumerate(PATTERNS)
        )
        found = (_match(each, hits[str(at)], texts=texts, counts=counts) for at, each in enumerate(PATTERNS))
        return tuple(each for each in found if each is not None)

    def _digits(self, texts: pl.Series, counts: pl.Series) -> WordFacts:
        return WordFacts(postcode=_share(texts.str.contains(f"^(?:{POSTCODE})$"), counts), words=1.0)

    def _words(self, texts: pl.Series, counts: pl.Series) -> WordFacts:
        folded = fold(texts)
        words = folded.str.split(" ")
        marks = {
            name: _any_of(words, known)
            for name, known in (
                ("first", self._first),
                ("last", self._last),
                ("place", self._places),
                ("group", self._groups),
            )
        }
        text, amount = pl.col("text"), pl.col("amount")
        plain = ~text.str.contains("[0-9]")
        spaced = text.str.count_matches(r"\S+")
        chars = text.str.len_chars()
        table = pl.DataFrame({"text": texts, "amount": words.list.len(), **marks}).select(
            shape=(_whole(NAME_SHAPE) & (chars <= 80) & (spaced <= 9))
            | (_whole(UNCASED_SHAPE) & (chars >= 2) & (chars <= 11 * spaced) & (spaced <= 4)),
            person=(pl.col("first") | pl.col("last")) & (amount <= 7) & plain,
            full=pl.col("first") & amount.is_between(2, 6) & plain,
            place=pl.col("place") & (amount <= 4),
            group=pl.col("group") & (amount <= 4) & plain,
            street=text.str.contains(STREET) & ~plain & (amount <= 10),
            address=_whole(ADDRESS_SHAPE),
            postcode=_whole(POSTCODE),
            long=spaced >= 4,
            technical=_whole(f"{UUID}|{HEX}"),
            words=spaced,
            chars=chars,
        )
        means = {name: _mean(table[name], counts) for name in ("words", "chars")}
        shares = {name: _share(table[name], counts) for name in table.columns if name not in means}
        return WordFacts(**shares, **means)

    def _dates(self, values: PathValues, texts: pl.Series) -> DateFacts:
        days = _as_days(values, texts)
        if days is None:
            return DateFacts()
        known = pl.DataFrame({"day": days, "count": values.counts}).drop_nulls()
        if known.is_empty():
            return DateFacts()
        ages = (pl.lit(self._today) - pl.col("day")).dt.total_days() / 365.25
        table = known.select(age=ages, count="count").sort("age")
        weight = table["count"].cum_sum() / table["count"].sum()
        low, middle, high = (float(table["age"][int((weight < part).sum())]) for part in (0.1, 0.5, 0.9))
        return DateFacts(
            share=int(known["count"].sum()) / values.filled,
            past=_share(table["age"].is_between(-0.01, _OLDEST), table["count"]),
            median_age=middle,
            spread=high - low,
        )

    def _own_matches(self, texts: pl.Series, counts: pl.Series, *, name: NameFacts) -> tuple[OwnMatch, ...]:
        found = []
        for recognizer, pattern in self._own:
            hits = pattern.whole(texts)
            share = _share(hits, counts)
            if share:
                said = " ".join(name.words)
                context = any(word.casefold() in said for word in recognizer.context)
                found.append(
                    OwnMatch(entity=recognizer.name, share=share, score=recognizer.score, context=context)
                )
        return tuple(found)


def word_list(name: str) -> frozenset[str]:
    """A list of words, in small letters without accents.

    Args:
        name: ``first_names``, ``last_names``, ``places`` or ``groups``.
    """
    return frozenset((files("lakehouse.pii.scan") / "words" / f"{name}.txt").read_text("utf-8").split())


def fold(texts: pl.Series) -> pl.Series:
    """Texts in small letters, without accents and signs, words one blank apart."""
    plain = texts.str.replace_all("ß", "ss").str.replace_all("[øØ]", "o").str.replace_all("[łŁ]", "l")
    plain = plain.str.normalize("NFKD").str.replace_all(r"\p{M}|['\u2019]", "").str.to_lowercase()
    return plain.str.replace_all(r"[^\p{L}]+", " ").str.strip_chars()


def _whole(regex: str) -> pl.Expr:
    """Whether the whole text matches; digits are those of ASCII, which checksums are made of."""
    return pl.col("text").str.contains(f"^(?:{regex})$".replace(r"\d", "[0-9]"))


def _match(pattern: Pattern, hits: pl.Series, *, texts: pl.Series, counts: pl.Series) -> Match | None:
    looks = _share(hits, counts)
    if not looks:
        return None
    passed, share = int(hits.sum()), looks
    if pattern.check is not None:
        every = max(1, passed // _MOST_CHECKED)
        checked, weights = texts.filter(hits).gather_every(every), counts.filter(hits).gather_every(every)
        good = pl.Series([pattern.check(text) for text in checked.to_list()], dtype=pl.Boolean)
        passed, share = int(good.sum()), looks * _share(good, weights)
    return Match(
        entity=pattern.entity,
        strength=pattern.strength,
        looks=looks,
        share=share,
        distinct=passed,
        checksum=pattern.check is not None and pattern.check not in NO_CHECKSUMS,
    )


def _any_of(words: pl.Series, known: frozenset[str]) -> pl.Series:
    frame = pl.DataFrame({"word": words}).with_row_index("at").explode("word", empty_as_null=True)
    hits = frame.filter(pl.col("word").is_in(pl.Series(sorted(known)).implode()))["at"].unique()
    flags = pl.Series([False] * words.len(), dtype=pl.Boolean)
    return flags.scatter(hits, True) if hits.len() else flags


def _as_days(values: PathValues, texts: pl.Series) -> pl.Series | None:
    if values.kind == "date":
        return values.values.cast(pl.Date)
    if values.kind == "number" and not values.values.dtype.is_integer():
        return None
    if values.kind == "number" and values.values.cast(pl.Int128).is_between(1800, 2200).all():
        years = pl.DataFrame({"year": values.values.cast(pl.Int32)})
        return years.select(pl.date(pl.col("year"), 7, 1)).to_series()
    best: pl.Series | None = None
    for look, layout, length in _DATE_FORMATS:
        if int(texts.str.contains(look).sum()) > texts.len() // 2:
            days = texts.str.slice(0, length).str.to_date(layout, strict=False)
            if best is None or days.null_count() < best.null_count():
                best = days
    return best


def _degrees(texts: pl.Series, counts: pl.Series, *, name: NameFacts) -> float:
    if not (name.latitude or name.longitude):
        return 0.0
    numbers = texts.cast(pl.Float64, strict=False)
    most = 90 if name.latitude else 180
    fine = texts.str.contains(r"\.\d{3,}") & numbers.is_between(-most, most).fill_null(value=False)
    return _share(fine, counts)


def _share(hits: pl.Series, counts: pl.Series) -> float:
    return int(counts.filter(hits.fill_null(value=False)).sum()) / int(counts.sum())


def _mean(numbers: pl.Series, counts: pl.Series) -> float:
    return float((numbers.cast(pl.Float64) * counts).sum()) / int(counts.sum())
