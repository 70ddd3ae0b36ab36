"""spaCy's parser in quicker arithmetic, with the same results.

The moves, and what they may do when, are spaCy's own; only the scores by which one is chosen come from
quicker arithmetic, which rounds otherwise in the last places. So a choice is believed only where the best
move is ahead of the next by far more than rounding can move them; texts with a closer one are left to spaCy.

Which moves are possible spaCy does not tell, so it is followed here (``arc_eager.pyx``: ``is_valid`` of the
moves): it depends on what is left of the text, and on three things said of a token so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from spacy.ml.parser_model import ParserStepModel
from spacy.pipeline import DependencyParser
from spacy.tokens import Doc

from lakehouse.pii.detect.presidio.vectors import Floats, quick_copy

_MARGIN: Final = 2e-3
"""Scores differ by at most 2.3e-5 between the two libraries (9,000 texts), which could decide in 7 of 19,000
texts; one text in 65 has a closer decision than this."""
_SHIFT, _REDUCE, _LEFT, _RIGHT, _BREAK = range(5)
_KINDS: Final = "SDLRB"
_POSITIONS: Final = 8
_ALONE: Final = "subtok"


class QuickParser:
    """Parses texts by the vectors of their words.

    Args:
        parser: spaCy's, deciding greedily by the shared vectors.
    """

    def __init__(self, parser: DependencyParser) -> None:
        self._parser = parser
        tokens, self._lower, self._upper = quick_copy(parser.model).layers
        self._linear = tokens.layers[2]
        moves = parser.moves
        names = [moves.get_class_name(number) for number in range(moves.n_moves)]
        self._kinds = np.array([_KINDS.index(name[0]) for name in names])

    @staticmethod
    def suits(parser: DependencyParser) -> bool:
        """Whether the parser is made as this expects."""
        layers, moves = parser.model.layers, parser.moves
        if len(layers) != 3 or not parser.model.attrs.get("has_upper"):
            return False
        if [layer.name for layer in layers[0].layers] != ["tok2vec-listener", "list2array", "linear"]:
            return False
        names = [moves.get_class_name(number).partition("-") for number in range(moves.n_moves)]
        known = all(kind in _KINDS and label != _ALONE for kind, _, label in names)
        shaped = layers[1].get_dim("nF") == _POSITIONS and layers[2].name == "linear"
        return bool(known and shaped and not parser.model.attrs.get("unseen_classes"))

    def parse(self, docs: Sequence[Doc], vectors: Floats) -> list[bool]:
        """Parses texts as the parser does. Those of which it is not sure are left as they are.

        Args:
            docs: Split texts, none of them empty, of which nothing is known yet.
            vectors: Of their tokens, those of one text after those of the other.

        Returns:
            Whether each is sure to be what the parser says.
        """
        rows = self._linear.predict(vectors)
        layers = [lambda *_, **__: (rows, None), self._lower, self._upper]
        scorer = ParserStepModel(list(docs), layers, has_upper=True, train=False)
        said = _Said(len(rows))
        every = states = self._parser.moves.init_batch(docs)
        texts = np.repeat(np.arange(len(docs)), [len(doc) for doc in docs])
        sure = np.ones(len(docs), dtype=np.bool_)
        while states:
            places = scorer.get_token_ids(states)
            scores = self._upper.predict(scorer.state2vec.predict(places))
            possible = said.possible(places)
            open_ = np.where(possible[:, self._kinds], scores, -np.inf)
            every_row = np.arange(len(states))
            best = open_.argmax(axis=1)
            ahead = open_[every_row, best]
            open_[every_row, best] = -np.inf
            close = ahead - open_.max(axis=1) <= _MARGIN
            if close.any():
                sure[texts[places[close, :4].max(axis=1)]] = False
            said.note(places, self._kinds[best])
            states = self._parser.transition_states(states, scores)
        told = np.flatnonzero(sure).tolist()
        self._parser.set_annotations([docs[place] for place in told], [every[place] for place in told])
        return list(sure.tolist())


class _Said:
    """What has been said of the tokens of some texts so far.

    Args:
        count: Tokens.
    """

    def __init__(self, count: int) -> None:
        # One more, which nothing is said of: place -1, where there is no token.
        self._begins = np.zeros(count + 1, dtype=np.bool_)
        self._was_back = np.zeros(count + 1, dtype=np.bool_)
        self._hangs = np.zeros(count + 1, dtype=np.bool_)

    def possible(self, places: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Which kinds of moves are possible, for each text."""
        next_, after, top = places[:, 0], places[:, 1], places[:, 2]
        none_on_stack, none_after, begins = top < 0, after < 0, self._begins[next_]
        found = np.empty((len(places), len(_KINDS)), dtype=np.bool_)
        found[:, _SHIFT] = none_on_stack | ~(none_after | begins | self._was_back[next_])
        found[:, _REDUCE] = ~none_on_stack
        found[:, _LEFT] = found[:, _RIGHT] = ~(none_on_stack | (next_ < 0) | begins)
        found[:, _BREAK] = ~none_after & (after == next_ + 1) & ~self._begins[after]
        return found

    def note(self, places: npt.NDArray[np.int32], kinds: npt.NDArray[np.int64]) -> None:
        """Notes moves that are made."""
        next_, after, top, below = places[:, 0], places[:, 1], places[:, 2], places[:, 3]
        self._begins[after[kinds == _BREAK]] = True
        self._hangs[next_[kinds == _RIGHT]] = True
        # What hangs on nothing goes back to where it came from, unless it is the last on the stack.
        back = top[(kinds == _REDUCE) & (below >= 0) & ~self._hangs[top]]
        self._was_back[back] = True
        self._was_back[next_[kinds == _LEFT]] = False


def parser_of(parser: Any) -> QuickParser | None:
    """The quick way for a parser; None where it is of another make."""
    return QuickParser(parser) if QuickParser.suits(parser) else None
