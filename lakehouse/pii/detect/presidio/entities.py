"""spaCy's entity recognizer in quicker arithmetic, with the same results.

spaCy multiplies matrices with BLIS; NumPy's own library does it in a third of the time, and rounds otherwise
in the last places. So each decision is made with the quick numbers, and believed only where the best move is
ahead of the next by far more than rounding can move them; texts with a closer decision are left to spaCy.

A decision needs less than spaCy computes. Outside of an entity it depends on one token alone (features of the
other two positions are padding), so it is made for all tokens of a batch at once. Within an entity only two
moves are possible: on with it, or its last token. (``ner.pyx``: ``is_valid`` of the moves;
``_state.pxd``: ``set_context_tokens``.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from spacy.pipeline import EntityRecognizer
from spacy.tokens import Doc

from lakehouse.pii.detect.presidio.vectors import Floats, WordVectors, quick_copy

_MARGIN: Final = 2e-3
"""Scores are of the order of 10, and differ by at most 1.5e-5 between the two libraries (40,000 texts); one
text in 260 has a closer decision than this."""
_OUTSIDE: Final = "O"
_POSITIONS: Final = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """An entity in tokens.

    Args:
        start: Its first token.
        end: The token after its last.
        label: The model's name for it.
    """

    start: int
    end: int
    label: str


class QuickEntities:
    """Finds the entities that spaCy's recognizer finds where it knows of no sentences.

    Args:
        recognizer: spaCy's, deciding greedily, with a hidden layer of maxout units.
    """

    def __init__(self, recognizer: EntityRecognizer) -> None:
        tokens, self._lower, upper = quick_copy(recognizer.model).layers
        self._linear = tokens.layers[2]
        self._words = WordVectors(recognizer.model.layers[0].layers[0], quick=True)
        self._bias: Floats = self._lower.get_param("b")
        self._weights: Floats = upper.get_param("W")
        self._offsets: Floats = upper.get_param("b")
        self._moves = _Moves.of(recognizer)

    @staticmethod
    def suits(recognizer: EntityRecognizer) -> bool:
        """Whether the recognizer is made as this expects."""
        layers = recognizer.model.layers
        if len(layers) != _POSITIONS or not recognizer.model.attrs.get("has_upper"):
            return False
        if [layer.name for layer in layers[0].layers][1:] != ["list2array", "linear"]:
            return False
        lower = layers[1]
        shaped = lower.get_dim("nF") == _POSITIONS and lower.get_dim("nP") >= 2
        unseen = recognizer.model.attrs.get("unseen_classes")
        return bool(shaped and not unseen and layers[2].name == "linear" and _Moves.known(recognizer))

    def find(self, docs: Sequence[Doc]) -> list[list[Piece] | None]:
        """Finds entities.

        Args:
            docs: Split texts.

        Returns:
            The entities of each; None where a decision is too close.
        """
        lengths = [len(doc) for doc in docs]
        if not sum(lengths):
            return [[] for _ in docs]
        features = self._lower.predict(self._linear.predict(self._words.of(docs)))
        outside, sure = self._outside(features, _spaces(docs), np.cumsum(lengths) - 1)
        found: list[list[Piece] | None] = []
        first = 0
        for length in lengths:
            found.append(self._walk(features, outside, sure, first=first, length=length))
            first += length
        return found

    def _hidden(self, sums: Floats) -> Floats:
        return np.asarray((sums + self._bias).max(axis=-1))

    def _outside(
        self, features: Floats, spaces: npt.NDArray[np.bool_], lasts: npt.NDArray[np.int64]
    ) -> tuple[list[int], list[bool]]:
        """The best move at each token outside of an entity, and whether it is well ahead of the next."""
        padding = features[0]
        hidden = self._hidden(features[1:, 0] + (padding[1] + padding[2]))
        scores = hidden @ self._weights.T + self._offsets
        moves = self._moves
        scores[:, moves.never] = -np.inf
        scores[np.ix_(spaces, moves.opens)] = -np.inf
        scores[np.ix_(lasts, moves.begins)] = -np.inf
        best = scores.argmax(axis=1)
        ahead = scores[np.arange(len(best)), best].copy()
        scores[np.arange(len(best)), best] = -np.inf
        sure = ahead - scores.max(axis=1) > _MARGIN
        return best.tolist(), sure.tolist()

    def _walk(
        self, features: Floats, outside: Sequence[int], sure: Sequence[bool], *, first: int, length: int
    ) -> list[Piece] | None:
        moves = self._moves
        found: list[Piece] = []
        place, end = first, first + length
        while place < end:
            if not sure[place]:
                return None
            kind, label = moves.names[outside[place]]
            if kind == _OUTSIDE:
                place += 1
                continue
            start = place
            place += 1
            if kind == "B":
                last = self._last(features, start, end, moves.within[label])
                if last is None:
                    return None
                place = last + 1
            found.append(Piece(start - first, place - first, label))
        return found

    def _last(self, features: Floats, start: int, end: int, within: tuple[int, int]) -> int | None:
        """The last token of an entity that begins at a token; None where that is too close."""
        on, over = within
        turn = self._weights[on] - self._weights[over]
        by = float(self._offsets[on] - self._offsets[over])
        opening = features[start + 1, 1] + self._bias
        for place in range(start + 1, end - 1):
            # Row 0 is padding, so token n is row n + 1.
            hidden = (features[place + 1, 0] + opening + features[place, 2]).max(axis=-1)
            goes_on = float(hidden @ turn) + by
            if abs(goes_on) <= _MARGIN:
                return None
            if goes_on < 0:
                return place
        return end - 1


@dataclass(frozen=True, slots=True)
class _Moves:
    """The recognizer's moves by number.

    Args:
        names: Kind and label of each.
        within: For each label the numbers of going on and of the last token.
        never: Those that are not possible outside of an entity.
        opens: Those that begin an entity, of one token or of several.
        begins: Those that begin one of several.
    """

    names: tuple[tuple[str, str], ...]
    within: dict[str, tuple[int, int]]
    never: npt.NDArray[np.int64]
    opens: npt.NDArray[np.int64]
    begins: npt.NDArray[np.int64]

    @classmethod
    def of(cls, recognizer: EntityRecognizer) -> _Moves:
        names = _names(recognizer)
        labels = {label for kind, label in names if kind == "B"}

        def numbers(*kinds: str) -> npt.NDArray[np.int64]:
            return np.array([place for place, (kind, label) in enumerate(names) if kind in kinds and label])

        blank = [place for place, (kind, label) in enumerate(names) if kind == "U" and not label]
        return cls(
            names=names,
            within={label: (names.index(("I", label)), names.index(("L", label))) for label in labels},
            never=np.array([*numbers("I", "L").tolist(), *blank], dtype=np.int64),
            opens=numbers("B", "U"),
            begins=numbers("B"),
        )

    @staticmethod
    def known(recognizer: EntityRecognizer) -> bool:
        names = _names(recognizer)
        labels = {label for kind, label in names if kind == "B"}
        expected = {(kind, label) for kind in "BILU" for label in labels} | {(_OUTSIDE, "")}
        return len(names) == len(set(names)) and set(names) - {("U", "")} == expected


def _names(recognizer: EntityRecognizer) -> tuple[tuple[str, str], ...]:
    # The recognizer's own list of names leaves out the move that blocks an entity.
    moves = recognizer.moves
    names = (moves.get_class_name(number).partition("-") for number in range(moves.n_moves))
    return tuple((kind, label) for kind, _, label in names)


def _spaces(docs: Sequence[Doc]) -> npt.NDArray[np.bool_]:
    return np.concatenate([doc.to_array("IS_SPACE") for doc in docs]).astype(np.bool_)


def model_of(recognizer: Any) -> QuickEntities | None:
    """The quick way for a recognizer; None where it is of another make."""
    return QuickEntities(recognizer) if QuickEntities.suits(recognizer) else None
